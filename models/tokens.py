"""Token sequences of pairs as flat arrays without padding, and their making from cleaned text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from models.encoder_files import TOKENIZER, EncoderError
from models.segments import FIRST, SECOND, SPECIAL


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenTable:
    """The token sequences of a split, one after another.

    Row r is ``tokens[offsets[r] : offsets[r + 1]]``; ``segments`` holds the tokens' kinds of
    position from ``models.segments``. The first ``pairs`` rows are [CLS] first [SEP] second [SEP];
    if there are twice as many rows, the others are the same pairs with the definitions swapped.
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
        """Return the number of tokens in each row, int (rows,)."""
        return np.diff(self.offsets)


def load_tokenizer(folder: Path) -> tuple[Tokenizer, tuple[int, int]]:
    """Return the tokenizer in ``folder`` and the ids of its [CLS] and [SEP].

    Raises:
        EncoderError: If the tokenizer cannot be read, or has no such tokens.
    """
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the library raises no narrower type
        raise EncoderError(f"{folder / TOKENIZER}: cannot be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if ids[0] is None or ids[1] is None:
        raise EncoderError(f"{folder / TOKENIZER}: must have the tokens [CLS] and [SEP]")
    return tokenizer, (ids[0], ids[1])


def encode_texts(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Return the ids of each text's word pieces, without special tokens."""
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [text.ids for text in encoded]


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


def build_table(
    rows: Iterable[tuple[list[int], list[int]]], special: tuple[int, int], pairs: int
) -> TokenTable:
    """Return the table of these rows.

    Args:
        rows: Ids of both definitions' word pieces, for each row.
        special: Ids of [CLS] and [SEP].
        pairs: Number of rows with the definitions in their own order; they come first.
    """
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
