"""Tokenization of a data set, which refuses texts that the encoder cannot take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.encoder_files import EncoderInfo
from models.table_files import DataError
from models.tokens import (
    TokenTable,
    build_table,
    check_ids,
    encode_texts,
    load_tokenizer,
    shorten,
)
from tuning.data.pairs import PairData, PairTable


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenData:
    """The tokens of a data set.

    Args:
        splits: Token table of each split.
        truncated: Number of pairs of each split that were cut to ``max_tokens``.
        max_tokens: Longest row in tokens, special tokens included.
    """

    splits: dict[str, TokenTable]
    truncated: dict[str, int]
    max_tokens: int


def tokenise(
    data: PairData, encoder: EncoderInfo, *, max_tokens: int | None, both_orders: bool
) -> TokenData:
    """Return the data set as token arrays.

    Args:
        data: Cleaned pairs.
        encoder: Encoder whose tokenizer and longest sequence are used.
        max_tokens: Lower limit than the encoder's, in tokens with the special ones, or
            None. A longer pair loses tokens from its longer text.
        both_orders: Whether the swapped pairs follow as rows of their own.

    Raises:
        DataError: If a text alone is longer than the encoder takes, or has no tokens.
        EncoderError: If the tokenizer cannot be read, lacks its special tokens, or has word
            pieces that the encoder does not embed.
    """
    limit = min(max_tokens or encoder.max_tokens, encoder.max_tokens)
    tokenizer, special = load_tokenizer(encoder.folder)
    splits, truncated = {}, {}
    for split, pairs in data.splits.items():
        firsts = encode_texts(tokenizer, pairs.first)
        seconds = encode_texts(tokenizer, pairs.second)
        longest = encoder.max_tokens - special.of_text
        _check(firsts, seconds, pairs, data.files[split], longest)
        both = list(zip(firsts, seconds, strict=True))
        room = limit - special.of_pair
        cut = [shorten(first, second, room) for first, second in both]
        truncated[split] = sum(len(first) + len(second) > room for first, second in both)
        rows = cut + [(second, first) for first, second in cut] if both_orders else cut
        splits[split] = build_table(rows, special, len(cut))
        check_ids(splits[split].tokens, tokenizer, encoder)
    return TokenData(splits=splits, truncated=truncated, max_tokens=limit)


def _check(
    firsts: list[list[int]], seconds: list[list[int]], pairs: PairTable, path: Path, longest: int
) -> None:
    """Raise a DataError for the first text without tokens, or with too many to fit alone."""
    for line, *texts in zip(pairs.lines, firsts, seconds, strict=True):
        for side, tokens in zip(("first", "second"), texts, strict=True):
            if not 1 <= len(tokens) <= longest:
                raise DataError(
                    f"{path}: line {line}: the {side} definition must have from 1 to {longest} "
                    f"word pieces, which is what the encoder takes, got {len(tokens)}"
                )
