"""Tokenization of a data set, which refuses texts that the encoder cannot take; kept in files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

from models.encoder_files import EncoderInfo
from models.table_files import DataError, place_of
from models.token_files import pack_tables, unpack_tables
from models.tokens import (
    Encoding,
    TokenTable,
    build_table,
    check_ids,
    encode_texts,
    load_tokenizer,
    shorten,
    shorten_each,
)
from tuning.data.pairs import PairData
from tuning.system.atomic_files import atomic_write_bytes

TOKENS = "tokens"  # folder of the files, in that of the caches
_KEPT = 20  # files, those that were used last
_LARGEST = 50_000_000  # bytes: training on more takes so long that seconds do not matter
_FORMAT = "1"  # part of every file's name: raise it when tokenization changes
_LONGEST = "max_tokens"
_PROBLEMS_SHOWN = 5
Sides = tuple[list[list[int]], list[list[int]]]  # ids of the first and of the second texts


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


def load_or_tokenise(
    data: PairData,
    encoder: EncoderInfo,
    cache: Path,
    *,
    max_tokens: int | None,
    both_orders: bool,
    encoding: Encoding,
) -> TokenData:
    """Return what ``tokenise`` does, from a file if that was done before.

    The file is named by a fingerprint of texts, encoder and options. If it is absent or damaged
    it is written anew, unless the folder cannot be written or the data are very large.

    Args:
        data: Cleaned pairs.
        encoder: Encoder whose tokenizer and longest sequence are used.
        cache: Folder of the caches; made if absent.
        max_tokens, both_orders, encoding: As for ``tokenise``.

    Raises:
        DataError, EncoderError: As ``tokenise`` does.
    """
    options = {"max_tokens": max_tokens, "both_orders": both_orders, "encoding": encoding}
    parts = (_FORMAT, version("tokenizers"), data.fingerprint, encoder.fingerprint, options)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    path = cache / TOKENS / digest[:32]
    if found := _recall(path):
        return found
    made = tokenise(
        data, encoder, max_tokens=max_tokens, both_orders=both_orders, encoding=encoding
    )
    size = sum(table.tokens.nbytes + table.segments.nbytes for table in made.splits.values())
    with suppress(OSError):
        if size > _LARGEST:
            return made
        numbers = {**made.truncated, _LONGEST: made.max_tokens}
        atomic_write_bytes(path, pack_tables(made.splits, numbers))
        files = sorted(path.parent.iterdir(), key=lambda file: file.stat().st_mtime)
        for file in files[:-_KEPT]:
            file.unlink(missing_ok=True)
    return made


def _recall(path: Path) -> TokenData | None:
    """Return what a file holds; None if it is absent, damaged or not readable."""
    try:
        found = unpack_tables(path.read_bytes())
    except OSError:
        return None
    if found is None:
        return None
    with suppress(OSError):
        path.touch()  # the files that were used last are kept
    tables, numbers = found
    longest = numbers.pop(_LONGEST)
    return TokenData(splits=tables, truncated=numbers, max_tokens=longest)


def tokenise(
    data: PairData,
    encoder: EncoderInfo,
    *,
    max_tokens: int | None,
    both_orders: bool,
    encoding: Encoding = "pair",
) -> TokenData:
    """Return the data set as token arrays.

    Args:
        data: Cleaned pairs.
        encoder: Encoder whose tokenizer and longest sequence are used.
        max_tokens: Longest row in tokens with the special ones; a longer pair loses tokens from
            its longer text. Where texts are encoded separately, it is the limit of each. None:
            what the encoder takes, and a text that alone is longer is refused. The encoder's own
            limit holds in any case.
        both_orders: Whether the swapped pairs follow as rows of their own.
        encoding: Whether both texts of a pair are one sequence.

    Raises:
        DataError: If a text has no tokens, or alone is longer than the encoder takes and
            ``max_tokens`` is None; the message has the first lines.
        EncoderError: If the tokenizer cannot be read, lacks its special tokens, or has word
            pieces that the encoder does not embed.
    """
    limit = min(max_tokens or encoder.max_tokens, encoder.max_tokens)
    tokenizer, special = load_tokenizer(encoder.folder)
    sides = _encode(data, tokenizer)
    longest, cut = encoder.max_tokens - special.of_text, max_tokens is not None
    _check(data, sides, longest, cut=cut, unit="pair" if encoding == "pair" else "text")
    splits, truncated = {}, {}
    for split, (firsts, seconds) in sides.items():
        both = list(zip(firsts, seconds, strict=True))
        if encoding == "pair":
            cut = [shorten(*texts, limit - special.of_pair) for texts in both]
        else:
            cut = [shorten_each(*texts, limit - special.of_text) for texts in both]
        truncated[split] = sum(one != other for one, other in zip(cut, both, strict=True))
        rows = cut + [(second, first) for first, second in cut] if both_orders else cut
        splits[split] = build_table(rows, special, len(cut), encoding)
        check_ids(splits[split].tokens, tokenizer, encoder)
    return TokenData(splits=splits, truncated=truncated, max_tokens=limit)


def _encode(data: PairData, tokenizer: Tokenizer) -> dict[str, Sides]:
    """Return the ids of each split's texts; a text that is in several splits is split once."""
    columns = [side for pairs in data.splits.values() for side in (pairs.first, pairs.second)]
    ids = iter(encode_texts(tokenizer, [text for column in columns for text in column]))
    found = (list(islice(ids, len(column))) for column in columns)
    return {split: (next(found), next(found)) for split in data.splits}


def _check(
    data: PairData, sides: Mapping[str, Sides], longest: int, *, cut: bool, unit: str
) -> None:
    """Raise a DataError for texts without tokens and, unless they are cut, for those too long.

    ``unit`` names what ``max_tokens`` limits.
    """
    allowed = math.inf if cut else longest
    found = [text for text in _sizes(data, sides) if not 1 <= text[-1] <= allowed]
    if not found:
        return
    rule = f"must have from 1 to {longest} word pieces, which is what the encoder takes"
    lines = [
        f"{place_of(data.files[split], line)}: the {side} definition {rule}, got {size}"
        for split, line, side, size in found[:_PROBLEMS_SHOWN]
    ]
    most = max(size for *_, size in found)
    if len(found) > _PROBLEMS_SHOWN:
        lines.append(f"... and {len(found) - _PROBLEMS_SHOWN} more; the longest has {most}")
    if most > longest:
        lines.append(
            "to cut longer texts to what the encoder takes: --set truncate=true; to cut every "
            f"{unit} to fewer word pieces: --set max_tokens=NUMBER"
        )
    raise DataError("\n".join(lines))


def _sizes(data: PairData, sides: Mapping[str, Sides]) -> Iterator[tuple[str, int, str, int]]:
    """Yield split, line, side and number of word pieces of each text."""
    for split, (firsts, seconds) in sides.items():
        for line, first, second in zip(data.splits[split].lines, firsts, seconds, strict=True):
            yield split, line, "first", len(first)
            yield split, line, "second", len(second)
