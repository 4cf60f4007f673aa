"""Readers of a data set's files: TSV (without quoting), CSV and Parquet, as rows of text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class DataError(ValueError):
    """A data set that cannot be used; the message has file, line, rule and value."""


def read_text(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the header of a TSV or CSV file, and an iterator over line numbers and rows.

    Raises:
        DataError: If the file cannot be read, is not UTF-8, or breaks a rule of its format; a
            row with too many or too few columns is found when the iterator reaches it.
    """
    if path.suffix == ".csv":
        reader = csv.reader(io.StringIO(_decode(path), newline=""), strict=True)
    else:
        lines = io.StringIO(_decode(path))
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from error
    return header, _rows_of(reader, path, len(header))


def _rows_of(
    reader: Any,  # noqa: ANN401 - csv has no public name for its readers
    path: Path,
    width: int,
) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in reader:
            if len(row) != width:
                raise DataError(
                    f"{path}: line {reader.line_num}: must have {width} columns, as the header "
                    f"has, got {len(row)}; is the file cut off?"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from error


def _decode(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte order mark."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise DataError(f"{path}: line {line}: must be UTF-8, got the byte {byte:#04x}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def read_parquet(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the header of a Parquet file, and an iterator over row numbers and rows as text.

    Rows are numbered from 1; a missing value is an empty text.

    Raises:
        DataError: If the file is no Parquet file.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        names, columns = table.column_names, [column.to_pylist() for column in table.columns]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: is not a Parquet file: {error}") from error
    values = zip(*columns, strict=True)
    rows = (["" if value is None else str(value) for value in row] for row in values)
    return names, enumerate(rows, start=1)
