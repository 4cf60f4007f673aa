"""Token sequences of pairs as flat arrays without padding, and their making from cleaned text."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from tokenizers import Tokenizer

from models.encoder_files import TOKENIZER, VOCABULARY, EncoderError, EncoderInfo
from models.segments import AS_SECOND, FIRST, SECOND, SPECIAL
from models.vocabulary_file import read_vocabulary

Encoding = Literal["pair", "separate"]  # both texts in one sequence, or each in its own
_AT_ONCE = 10_000  # texts: the tokenizer holds much more of each than its ids
# Special tokens where the tokenizer adds none by itself: the first, the last, and how often that
# stands between the texts.
_USUAL = (("[CLS]", "[SEP]", 1), ("<s>", "</s>", 2))


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenTable:
    """The token sequences of a split, one after another, and the rows that are made of them.

    Sequence n is ``tokens[offsets[n] : offsets[n + 1]]``; ``segments`` holds the tokens' kinds of
    position from ``models.segments``. The first ``pairs`` rows are pairs in their own order; if
    there are twice as many rows, the others are the same pairs with the definitions swapped.

    Encoded together, a row is a sequence, with special tokens before, between and after the
    texts: [CLS] first [SEP] second [SEP]. Encoded separately, each different definition of the
    split is a sequence, [CLS] text [SEP], and a row is two of them: ``members``, int (rows, 2);
    (rows, 1) for rows that are some of the sequences of pairs encoded together.
    """

    tokens: np.ndarray
    segments: np.ndarray
    offsets: np.ndarray
    pairs: int
    members: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.offsets) - 1 if self.members is None else len(self.members)

    @property
    def lengths(self) -> np.ndarray:
        """Return the number of tokens in each row, int (rows,)."""
        lengths = np.diff(self.offsets)
        return lengths if self.members is None else lengths[self.members].sum(axis=1)

    def row(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the T tokens of a row and their kinds of position, int (T,) both."""
        parts = [number] if self.members is None else self.members[number]
        spans = [slice(self.offsets[part], self.offsets[part + 1]) for part in parts]
        kinds = [self.segments[span] for span in spans]
        kinds[1:] = [np.array(AS_SECOND, dtype=kind.dtype)[kind] for kind in kinds[1:]]
        return np.concatenate([self.tokens[span] for span in spans]), np.concatenate(kinds)

    def row_of(self, position: int) -> int:
        """Return the first row that has the token at a position in ``tokens``."""
        sequence = int(np.searchsorted(self.offsets, position, side="right")) - 1
        if self.members is None:
            return sequence
        return int(np.flatnonzero((self.members == sequence).any(axis=1))[0])

    @property
    def sequences(self) -> TokenTable:
        """Return the table whose rows are the sequences, which is what an encoder runs on."""
        return replace(self, members=None, pairs=len(self.offsets) - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialTokens:
    """Ids of the special tokens ``before``, ``between`` and ``after`` the texts of a pair."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def of_pair(self) -> int:
        """Return the number of special tokens in a pair."""
        return len(self.before) + len(self.between) + len(self.after)

    @property
    def of_text(self) -> int:
        """Return the number of special tokens of a text alone."""
        return len(self.before) + len(self.after)


def load_tokenizer(folder: Path) -> tuple[Tokenizer, SpecialTokens]:
    """Return the tokenizer in ``folder`` and the ids of its special tokens.

    The special tokens are those that the tokenizer itself adds to a pair; one that adds none has
    them by their usual names.

    Raises:
        EncoderError: If the tokenizer cannot be read, or has no such tokens.
    """
    if not (folder / TOKENIZER).is_file() and (folder / VOCABULARY).is_file():
        tokenizer = read_vocabulary(folder)
    else:
        tokenizer = read_tokenizer(folder / TOKENIZER)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, _special_tokens(tokenizer, folder / TOKENIZER)


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in a file; raise an EncoderError if it cannot be read."""
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no narrower type
        raise EncoderError(f"{path}: cannot be read: {error}") from error


def _special_tokens(tokenizer: Tokenizer, path: Path) -> SpecialTokens:
    try:
        pair = tokenizer.encode("a", "a")
    except Exception as error:  # as above
        raise EncoderError(f"{path}: cannot split a text: {error}") from error
    sides = pair.sequence_ids  # None for a special token
    if None in sides and 0 in sides and 1 in sides:
        first, second = ([n for n, side in enumerate(sides) if side == kind] for kind in (0, 1))
        return SpecialTokens(
            before=tuple(pair.ids[: first[0]]),
            between=tuple(pair.ids[first[-1] + 1 : second[0]]),
            after=tuple(pair.ids[second[-1] + 1 :]),
        )
    for *names, count in _USUAL:
        start, end = (tokenizer.token_to_id(str(name)) for name in names)
        if start is not None and end is not None:
            return SpecialTokens(before=(start,), between=(end,) * int(count), after=(end,))
    raise EncoderError(
        f"{path}: must have the tokens [CLS] and [SEP], or a post-processor that adds special "
        "tokens to a pair"
    )


def encode_texts(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Return the ids of each text's word pieces, without special tokens.

    Equal texts are split once, and share a list.
    """
    different = list(dict.fromkeys(texts))
    parts = (different[start : start + _AT_ONCE] for start in range(0, len(different), _AT_ONCE))
    encoded = (tokenizer.encode_batch_fast(part, add_special_tokens=False) for part in parts)
    ids = [text.ids for part in encoded for text in part]
    found = dict(zip(different, ids, strict=True))
    return [found[text] for text in texts]


def check_ids(tokens: np.ndarray, tokenizer: Tokenizer, encoder: EncoderInfo) -> None:
    """Raise an ``EncoderError`` if the encoder does not embed one of the tokens.

    Args:
        tokens: Token ids, int (S,).
        tokenizer: Tokenizer that they are from.
        encoder: Encoder that is to read them.
    """
    highest = int(tokens.max(initial=0))
    if highest >= encoder.vocabulary:
        raise EncoderError(
            f"{encoder.folder}: tokenizer and embeddings disagree: the text has the word piece "
            f"{tokenizer.id_to_token(highest)!r} with id {highest}, and config.json says "
            f"vocab_size {encoder.vocabulary}"
        )


def shorten(first: list[int], second: list[int], budget: int) -> tuple[list[int], list[int]]:
    """Return both sequences, the longer one cut until together they have ``budget`` tokens."""
    half = budget // 2
    if len(first) + len(second) <= budget:
        return first, second
    if len(first) <= half:
        return first, second[: budget - len(first)]
    if len(second) <= half:
        return first[: budget - len(second)], second
    return first[: budget - half], second[:half]


def shorten_each(first: list[int], second: list[int], budget: int) -> tuple[list[int], list[int]]:
    """Return both sequences, each cut to ``budget`` tokens."""
    return first[:budget], second[:budget]


def build_table(
    rows: Iterable[tuple[list[int], list[int]]],
    special: SpecialTokens,
    pairs: int,
    encoding: Encoding = "pair",
) -> TokenTable:
    """Return the table of these rows.

    Args:
        rows: Ids of both definitions' word pieces, for each row.
        special: Special tokens before, between and after the definitions.
        pairs: Number of rows with the definitions in their own order; they come first.
        encoding: Whether both definitions of a row are one sequence.
    """
    if encoding == "separate":
        return _build_separate(rows, special, pairs)
    before, between, after = special.before, special.between, special.after
    kinds = [[SPECIAL] * len(part) for part in (before, between, after)]
    tokens: list[int] = []
    segments: list[int] = []
    offsets = [0]
    for first, second in rows:
        tokens += [*before, *first, *between, *second, *after]
        segments += [*kinds[0], *[FIRST] * len(first), *kinds[1], *[SECOND] * len(second)]
        segments += kinds[2]
        offsets.append(len(tokens))
    return TokenTable(
        tokens=np.array(tokens, dtype=np.int32),
        segments=np.array(segments, dtype=np.uint8),
        offsets=np.array(offsets, dtype=np.int64),
        pairs=pairs,
    )


def _build_separate(
    rows: Iterable[tuple[list[int], list[int]]], special: SpecialTokens, pairs: int
) -> TokenTable:
    """Return a table of the different definitions in these rows, each a sequence of its own."""
    numbers: dict[tuple[int, ...], int] = {}
    members = [[numbers.setdefault(tuple(text), len(numbers)) for text in texts] for texts in rows]
    sequences = [[*special.before, *text, *special.after] for text in numbers]
    kinds = [
        [SPECIAL] * len(special.before) + [FIRST] * len(text) + [SPECIAL] * len(special.after)
        for text in numbers
    ]
    return TokenTable(
        tokens=np.array([*itertools.chain(*sequences)], dtype=np.int32),
        segments=np.array([*itertools.chain(*kinds)], dtype=np.uint8),
        offsets=np.cumsum([0, *map(len, sequences)], dtype=np.int64),
        pairs=pairs,
        members=np.array(members, dtype=np.int64).reshape(-1, 2),
    )
