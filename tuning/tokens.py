"""From cleaned text to flat token arrays with offsets: no padding is stored anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from models.encoder_files import TOKENIZER, EncoderError, EncoderInfo
from models.segments import FIRST, SECOND, SPECIAL
from tuning.pairs import DataError, PairData, PairTable


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenTable:
    """The token sequences of a split, one after another.

    Row r is ``tokens[offsets[r] : offsets[r + 1]]``; ``segments`` holds the kinds of position
    from ``models.segments``. Rows 0 to ``pairs`` are [CLS] first [SEP] second [SEP]; if there are
    twice as many, the others are the same pairs with the definitions swapped.
    """

    tokens: np.ndarray
    segments: np.ndarray
    offsets: np.ndarray
    pairs: int

    @property
    def rows(self) -> int:
        """Return the number of sequences."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Return the tokens of each row, int (rows,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenData:
    """The tables of all splits, and how many pairs of each were cut to the longest length."""

    splits: dict[str, TokenTable]
    truncated: dict[str, int]
    max_tokens: int


def tokenise(
    data: PairData, encoder: EncoderInfo, *, max_tokens: int | None, both_orders: bool
) -> TokenData:
    """Return the data set as token arrays.

    Args:
        data: The cleaned pairs.
        encoder: Its tokenizer is used, and its longest sequence is the limit.
        max_tokens: A lower limit, or None. Longer pairs lose tokens from the longer definition.
        both_orders: Whether the swapped pairs follow as rows of their own.

    Raises:
        DataError: If a definition alone is longer than the encoder takes, or has no tokens.
        EncoderError: If the tokenizer cannot be read or lacks its special tokens.
    """
    limit = min(max_tokens or encoder.max_tokens, encoder.max_tokens)
    tokenizer, special = load_tokenizer(encoder.folder)
    splits, truncated = {}, {}
    for split, pairs in data.splits.items():
        firsts, seconds = _encode(tokenizer, pairs.first), _encode(tokenizer, pairs.second)
        _check(firsts, seconds, pairs, data.files[split], encoder.max_tokens)
        cut = [shorten(a, b, limit - 3) for a, b in zip(firsts, seconds, strict=True)]
        whole = [len(a) + len(b) for a, b in zip(firsts, seconds, strict=True)]
        truncated[split] = sum(length > limit - 3 for length in whole)
        rows = cut + [(b, a) for a, b in cut] if both_orders else cut
        splits[split] = _build_table(rows, special, len(cut))
    return TokenData(splits=splits, truncated=truncated, max_tokens=limit)


def load_tokenizer(folder: Path) -> tuple[Tokenizer, tuple[int, int]]:
    """Return the tokenizer in ``folder`` and the ids of its [CLS] and [SEP]."""
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the Rust library raises no narrower type
        raise EncoderError(f"{folder / TOKENIZER}: cannot be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if ids[0] is None or ids[1] is None:
        raise EncoderError(f"{folder / TOKENIZER}: must have the tokens [CLS] and [SEP]")
    return tokenizer, (ids[0], ids[1])


def _encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


def _check(
    firsts: list[list[int]], seconds: list[list[int]], pairs: PairTable, path: Path, limit: int
) -> None:
    for line, *sides in zip(pairs.lines, firsts, seconds, strict=True):
        for side, ids in zip(("first", "second"), sides, strict=True):
            if not 1 <= len(ids) <= limit - 2:
                raise DataError(
                    f"{path}: line {line}: the {side} definition must have from 1 to {limit - 2} "
                    f"word pieces, which is what the encoder takes, got {len(ids)}"
                )


def shorten(first: list[int], second: list[int], budget: int) -> tuple[list[int], list[int]]:
    """Return both sequences, the longer one cut until they have ``budget`` tokens together."""
    half = budget // 2
    if len(first) + len(second) <= budget:
        return first, second
    if len(first) <= half:
        return first, second[: budget - len(first)]
    if len(second) <= half:
        return first[: budget - len(second)], second
    return first[: budget - half], second[:half]


def _build_table(
    rows: Iterable[tuple[list[int], list[int]]], special: tuple[int, int], pairs: int
) -> TokenTable:
    start, end = special
    tokens: list[int] = []
    segments: list[int] = []
    offsets = [0]
    for first, second in rows:
        tokens += [start, *first, end, *second, end]
        segments += [SPECIAL, *[FIRST] * len(first), SPECIAL, *[SECOND] * len(second), SPECIAL]
        offsets.append(len(tokens))
    return TokenTable(
        tokens=np.array(tokens, dtype=np.int32),
        segments=np.array(segments, dtype=np.uint8),
        offsets=np.array(offsets, dtype=np.int64),
        pairs=pairs,
    )
