"""The reader of a table: TSV, CSV, JSON lines, Parquet and saved splits as rows of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from models.delimited_rows import Quoting, Rows, read_delimited
from models.text_lines import PACKED, DataError
from models.typed_rows import read_json_lines, read_parquet, read_saved

__all__ = ["DataError", "ending_of", "place_of", "read_rows"]

_DELIMITED = {".tsv": ("\t", None), ".txt": ("\t", None), ".csv": (",", "minimal")}
_TYPED = {".jsonl": read_json_lines, ".parquet": read_parquet}


def read_rows(
    path: Path,
    *,
    quoting: Quoting | None = None,
    separator: str | None = None,
    texts: Collection[str] = (),
) -> tuple[list[str], Rows]:
    """Return the header of a table, and an iterator over line numbers and rows.

    Lines are numbered from 1; rows, where a file has no lines, from 1. A row has as many cells as
    the header, each as text, unchanged; a missing value is an empty text.

    Args:
        path: File whose name ends in .tsv, .txt (as .tsv), .csv or .jsonl, or one of these and
            .gz; in .parquet (``NAME-*-of-00002.parquet`` stands for all of its shards); or a
            folder that ``save_to_disk`` of datasets wrote for a split.
        quoting: Quotation marks of a text file: none around cells, or around those that need them
            (``minimal``). None: minimal in CSV; in TSV none, if no mark speaks against it.
        separator: Character between the cells of a text file; None: as its name says.
        texts: Columns that must not hold lists or objects.

    Raises:
        DataError: If the file cannot be read, or breaks a rule of its format; what is wrong in a
            row is found when the iterator reaches it.
    """
    ending = ending_of(path.name)
    if path.is_dir():
        rows = read_saved(path, texts)
    elif ending in _TYPED:
        rows = _TYPED[ending](path, texts)
    elif ending in _DELIMITED:
        usual, quoted = _DELIMITED[ending]
        rows = read_delimited(path, separator or usual, quoting or quoted)
    else:
        known = ", ".join([*_DELIMITED, *_TYPED])
        raise DataError(f"{path}: must end in one of {known} (all but the last also in {PACKED})")
    _, header = next(rows, (0, []))
    doubled = [name for name, count in Counter(header).items() if name and count > 1]
    if doubled:
        places = [str(place) for place, name in enumerate(header, 1) if name == doubled[0]]
        rule = f"more than one column is named {doubled[0]!r}: {', '.join(places)}"
        raise DataError(f"{path}: line 1: {rule}; rename all but one")
    return header, rows


def place_of(path: Path, number: int) -> str:
    """Return a row of a table in words: its file, and its line or, where there are none, row."""
    typed = path.is_dir() or ending_of(path.name) == ".parquet"
    return f"{path}: {'row' if typed else 'line'} {number}"


def ending_of(name: str) -> str:
    """Return the ending that tells a file's format, in lower case, without that of gzip."""
    ending = Path(name.lower().removesuffix(PACKED)).suffix
    packed = name.lower().endswith(PACKED)
    return ending + PACKED if packed and ending in ("", ".parquet") else ending
