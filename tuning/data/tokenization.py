"""A data set as token arrays, with an error for each definition that is no input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.encoder_files import EncoderInfo
from models.tokens import TokenTable, build_table, encode_texts, load_tokenizer, shorten
from tuning.data.pairs import DataError, PairData, PairTable


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
        firsts, seconds = (
            encode_texts(tokenizer, pairs.first),
            encode_texts(tokenizer, pairs.second),
        )
        _check(firsts, seconds, pairs, data.files[split], encoder.max_tokens)
        cut = [shorten(a, b, limit - 3) for a, b in zip(firsts, seconds, strict=True)]
        lengths = [len(a) + len(b) for a, b in zip(firsts, seconds, strict=True)]
        truncated[split] = sum(length > limit - 3 for length in lengths)
        rows = cut + [(b, a) for a, b in cut] if both_orders else cut
        splits[split] = build_table(rows, special, len(cut))
    return TokenData(splits=splits, truncated=truncated, max_tokens=limit)


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
