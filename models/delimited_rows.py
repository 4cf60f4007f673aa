"""Rows of TSV and CSV files, with quotation marks around cells or without."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from models.text_lines import DataError, read_lines, shown

Quoting = Literal["none", "minimal"]
Rows = Iterator[tuple[int, list[str]]]  # a line's number and the cells of its row

_RETURN = "a carriage return stands within the line; lines must end in \\n or \\r\\n"
# What is wrong, by a part of the message of Python's reader.
_RULES = {
    "unexpected end": "a quotation mark opens a cell and none closes it",
    "expected after": 'a quotation mark within a cell must be doubled, as ""',
    "new-line character": _RETURN,
    "field limit": "a cell is longer than 131,072 characters; is its quotation mark not closed?",
}
SEPARATORS = {"\t": '"\\t"', ",": '","', ";": '";"', "|": '"|"'}  # and how YAML writes them
_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}


def read_delimited(path: Path, separator: str, quoting: Quoting | None) -> Rows:
    """Yield the line and the cells of each row, the header first; blank lines may end the file.

    Args:
        path: File in UTF-8.
        separator: Character between two cells.
        quoting: ``minimal`` if quotation marks can stand around a cell, ``none`` if they are a
            part of the text, None if that is unknown.

    Raises:
        DataError: If the file cannot be read or breaks a rule of its format, or if ``quoting`` is
            None and quotation marks stand around cells.
    """
    if quoting is None and (quoted := _find_quoted(path, separator)):
        line, cell = quoted
        raise DataError(
            f"{path}: line {line}: the cell {shown(cell)} is in quotation marks; if pandas or "
            f"Excel put them there, write into {path.parent / 'columns.yaml'} the line "
            "quoting: minimal\nif they belong to the text, write quoting: none"
        )
    split = _quoted_rows if quoting == "minimal" else _plain_rows
    yield from _equally_wide(path, split(path, separator), separator)


def _find_quoted(path: Path, separator: str) -> tuple[int, str] | None:
    """Return line and text of a cell if quotation marks stand around the cells of a file.

    They do if one holds a doubled mark within them, or if the whole file can be read that way.
    """
    first = None
    for number, line in read_lines(path):
        if not line.startswith('"') and f'{separator}"' not in line:
            continue
        for cell in line.rstrip("\r\n").split(separator):
            if cell.startswith('"'):
                first = first or (number, cell)
                if _holds_doubled(cell):
                    return number, cell
    return first if first and _can_be_quoted(path, separator) else None


def _holds_doubled(cell: str) -> bool:
    inner = cell[1:-1]
    return (
        len(cell) > 3
        and cell[0] == cell[-1] == '"'
        and '""' in inner
        and '"' not in inner.replace('""', "")
    )


def _can_be_quoted(path: Path, separator: str) -> bool:
    try:
        for _ in _equally_wide(path, _quoted_rows(path, separator), separator):
            pass
    except DataError:
        return False
    return True


def _plain_rows(path: Path, separator: str) -> Rows:
    for number, line in read_lines(path):
        text = line.removesuffix("\n").removesuffix("\r")
        if "\r" in text:
            raise DataError(f"{path}: line {number}: {_RETURN}")
        yield number, text.split(separator)


def _quoted_rows(path: Path, separator: str) -> Rows:
    lines = (line for _, line in read_lines(path))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = 1
    try:
        for row in reader:
            yield number, row
            number = reader.line_num + 1
    except csv.Error as error:
        rule = next((rule for part, rule in _RULES.items() if part in str(error)), str(error))
        other = _quoted_separator(path) if number == 1 else None
        if other not in (None, separator):
            rule = advise_separator(path, other)
        raise DataError(f"{path}: line {number}: {rule}") from error


def _quoted_separator(path: Path) -> str | None:
    """Return the separator behind the first cell, if that is in quotation marks, or None."""
    _, line = next(read_lines(path))
    found = re.match(rf'"(?:[^"]|"")*"([{"".join(SEPARATORS)}])', line)
    return found[1] if found else None


def advise_separator(path: Path, separator: str) -> str:
    """Return the line of ``columns.yaml`` by which a file is read that has this separator."""
    written = SEPARATORS[separator]
    file = path.parent / "columns.yaml"
    return (
        f"if {written} stands between its cells, write into {file} the line separator: {written}"
    )


def _equally_wide(path: Path, rows: Rows, separator: str) -> Rows:
    """Yield the rows but blank ones at the end; they have as many cells as the first."""
    width, blank = 0, 0
    for number, row in rows:
        if width > 1 and not "".join(row).strip() and len(row) < 2:
            blank = blank or number
            continue
        if blank:
            raise DataError(f"{path}: line {blank}: is blank; remove it")
        width = width or len(row)
        if len(row) != width:
            raise DataError(
                f"{path}: line {number}: must have {width} columns, as the header has, got "
                f"{len(row)}; {_guess(row, width, separator)}"
            )
        yield number, row


def _guess(row: list[str], width: int, separator: str) -> str:
    """Return a question about a row that has too many or too few cells."""
    if any(cell.startswith('"') for cell in row):
        return "are cells in quotation marks, and one of them broken?"
    if len(row) > width:
        return f"does a text contain a {_NAMES.get(separator, separator)}?"
    return "does a text contain a line break, or is the file cut off?"
