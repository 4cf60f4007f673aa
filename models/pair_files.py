"""Files of pairs for prediction: read as training reads them, written with what a model says.

Every cell is written as it was read. Lines of JSON stay as they are, and columns of a Parquet file
keep their types, if the file that is written has the same form; else all cells are text.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from models.columns import find_columns, read_columns
from models.delimited_rows import Quoting, read_delimited
from models.table_files import DataError, ending_of, place_of, read_rows
from models.text_lines import read_lines
from models.typed_rows import find_shards

ADDED = ("probability", "paraphrase")
Answers = list[tuple[float, bool]]  # probability and decision of each pair
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PairFile:
    """The rows of a file of pairs, as text.

    Attributes:
        path: File.
        header: Names of the columns.
        rows: Cells of each row.
        lines: Line of each row in the file; its number where a file has no lines.
        positions: Position in ``header`` of the ``first`` and the ``second`` text.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    positions: dict[str, int]

    def texts(self, side: str) -> list[str]:
        """Return the ``first`` or the ``second`` text of each pair."""
        return [row[self.positions[side]] for row in self.rows]

    def name_of(self, number: int) -> str:
        """Return file and line of a pair; ``number`` counts from 1."""
        return place_of(self.path, self.lines[number - 1])

    @property
    def form(self) -> str:
        """Return the ending that tells the file's form; empty for a folder."""
        return "" if self.path.is_dir() else ending_of(self.path.name)


def read_pairs(path: Path) -> PairFile:
    """Return the rows of a file of pairs; ``columns.yaml`` beside it may describe its columns.

    Raises:
        DataError: If the file cannot be read, lacks a text's column, or has a column of the names
            that are added; the message has file, line, rule and value.
    """
    columns = read_columns(path.parent)
    roles = columns.roles(("first", "second"))
    header, rows = read_rows(
        path, quoting=columns.quoting, separator=columns.separator, texts=roles.values()
    )
    positions = find_columns(path, header, roles)
    for name in ADDED:
        if name in header:
            raise DataError(
                f"{path}: must have no column {name!r}, which the output gets; rename it"
            )
    numbered = list(rows)
    return PairFile(
        path=path,
        header=header,
        rows=[row for _, row in numbered],
        lines=[line for line, _ in numbered],
        positions=positions,
    )


def check_output(output: Path, path: Path) -> None:
    """Raise an ``OSError`` if the output is no file of a known form, or is the input itself."""
    if output.suffix.lower() not in ENDINGS:
        raise OSError(f"--output: {output}: must end in {', '.join(ENDINGS)}")
    if output.is_dir():
        raise OSError(f"--output: {output}: is a folder; name a file")
    if not output.parent.is_dir():
        raise OSError(f"--output: {output}: there is no folder {output.parent}")
    files = path.parent.glob(escape(path.name).replace("[*]", "*"))  # all shards of a table
    if output.exists() and any(output.samefile(file) for file in files):
        raise OSError(f"--output: {output}: is the input file; name another")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new file beside ``path``, which takes its place if the block ends without an error.

    Raises:
        OSError: If no file can be written there; that is known before the block begins.
    """
    path = Path(os.path.realpath(path))  # resolve() raises a RuntimeError for a loop of links
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        beside.touch()
    except OSError as error:
        raise OSError(f"--output: {path}: cannot be written: {error.strerror}") from error
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def check_form(path: Path, pairs: PairFile) -> None:
    """Write the pairs, and read them again, if the file is to be one of cells without types.

    Args:
        path: File to write.
        pairs: Pairs that were read.

    Raises:
        DataError: If the file would not read as the same cells, as after a tab in a text.
    """
    if path.suffix.lower() not in _SEPARATORS:
        if len(set(pairs.header)) < len(pairs.header):
            raise DataError(f"{pairs.path}: more than one column has no name; write .csv or .tsv")
        if path.suffix.lower() == pairs.form == ".parquet":
            _check_types(pairs.path)
        return
    write_answers(path, pairs, [(0.0, False)] * len(pairs.rows))
    separator, quoting = _text_form(path)
    try:
        found = [row[: len(pairs.header)] for _, row in read_delimited(path, separator, quoting)]
        reason = "" if found == [pairs.header, *pairs.rows] else "its cells would read as others"
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ")
    if reason:
        raise DataError(
            f"{pairs.path}: cannot be written as {path.suffix}: {reason}\nwrite .jsonl or .parquet"
        )


def _check_types(path: Path) -> None:
    """Raise a DataError if the shards of a Parquet table differ in the type of a column."""
    import pyarrow
    from pyarrow import parquet

    try:
        pyarrow.unify_schemas([parquet.read_schema(shard) for shard in find_shards(path)])
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: cannot be written as .parquet: {error}; write .jsonl") from error


def write_answers(path: Path, pairs: PairFile, answers: Answers) -> None:
    """Write the pairs with the columns ``probability`` and ``paraphrase``.

    Args:
        path: File to write; its ending, one of ``ENDINGS``, says in which form.
        pairs: Pairs that were read.
        answers: Answer for each pair.
    """
    try:
        _WRITERS[path.suffix.lower()](path, pairs, answers)
    except OSError as error:
        raise OSError(f"--output: {path.parent}: cannot be written: {error.strerror}") from error


def _text_form(path: Path) -> tuple[str, Quoting | None]:
    """Return separator and quoting of a text file, as the ``columns.yaml`` beside it has them."""
    columns, usual = read_columns(path.parent), path.suffix.lower()
    quoting = columns.quoting or ("minimal" if usual == ".csv" else None)
    return columns.separator or _SEPARATORS[usual], quoting


def _write_text(path: Path, pairs: PairFile, answers: Answers) -> None:
    separator, quoting = _text_form(path)
    rows = [[*pairs.header, *ADDED]]
    rows += [[*row, *map(str, answer)] for row, answer in zip(pairs.rows, answers, strict=True)]
    with path.open("w", encoding="utf-8", newline="") as file:
        if quoting != "minimal":
            file.writelines(separator.join(row) + "\n" for row in rows)
            return
        # a lone carriage return ends a line, and the minimal rule of Python 3.11 does not quote it
        returns = any("\r" in cell for row in rows for cell in row)
        marks = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
        csv.writer(file, delimiter=separator, lineterminator="\n", quoting=marks).writerows(rows)


def _write_json_lines(path: Path, pairs: PairFile, answers: Answers) -> None:
    if pairs.form == ".jsonl":
        lines = (line.rstrip() for _, line in read_lines(pairs.path))
        records = [line for line in lines if line]
    else:
        cells = (dict(zip(pairs.header, row, strict=True)) for row in pairs.rows)
        records = [json.dumps(record, ensure_ascii=False) for record in cells]
    with path.open("w", encoding="utf-8", newline="") as file:
        for record, answer in zip(records, answers, strict=True):
            added = json.dumps(dict(zip(ADDED, answer, strict=True)))
            file.write(f"{record[:-1]}, {added[1:]}\n")


def _write_parquet(path: Path, pairs: PairFile, answers: Answers) -> None:
    import pyarrow
    from pyarrow import parquet

    if pairs.form == ".parquet":
        tables = [parquet.ParquetFile(file).read() for file in find_shards(pairs.path)]
        table = pyarrow.concat_tables(tables, promote_options="default")
    else:
        cells = [[row[n] for row in pairs.rows] for n in range(len(pairs.header))]
        table = pyarrow.table([pyarrow.array(c, pyarrow.string()) for c in cells], pairs.header)
    for n, kind in enumerate((pyarrow.float64(), pyarrow.bool_())):
        column = pyarrow.array([answer[n] for answer in answers], kind)
        table = table.append_column(ADDED[n], column)
    parquet.write_table(table, path)


_WRITERS: dict[str, Callable[[Path, PairFile, Answers], None]] = {
    ".csv": _write_text,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
    ".tsv": _write_text,
}
ENDINGS = tuple(_WRITERS)
