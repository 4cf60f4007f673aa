"""Rows of files whose cells have types: JSON lines, Parquet, and folders that datasets saves."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.delimited_rows import Rows
from models.text_lines import DataError, read_lines, refuse_pointers, shown, unreadable

if TYPE_CHECKING:
    from pyarrow import RecordBatch

# The names of the columns, and some rows; none at the beginning of a file.
Batches = Iterator[tuple[list[str], "RecordBatch | None"]]

STATE = "state.json"  # is in each folder that datasets saves a split to
_BATCH = 4096  # rows
_SHARDS = re.compile(r"(.*)-\*(-of-)(\d{5})(\..*)", re.IGNORECASE)


def read_json_lines(path: Path, texts: Collection[str]) -> Rows:
    """Yield the line and the cells of each row as text, the header first; null is empty.

    Args:
        path: File with a JSON object in each line; all have the same keys, in any order.
        texts: Columns that must not hold lists or objects.

    Raises:
        DataError: If the file cannot be read, or a line is no such object.
    """
    header: list[str] = []
    blank = 0
    for number, line in read_lines(path):
        where = f"{path}: line {number}"
        if not line.strip():
            blank = blank or number
            continue
        if blank:
            raise DataError(f"{path}: line {blank}: is blank; remove it")
        record = _parse(line, where)
        if not header:
            header = list(record)
            yield 1, header
        if set(record) != set(header):
            different = ", ".join(sorted(map(shown, set(record) ^ set(header))))
            raise DataError(
                f"{where}: must have the keys of the first line; only one has {different}"
            )
        yield number, [_as_text(record[name], where, name, name in texts) for name in header]


def _parse(line: str, where: str) -> dict[str, Any]:
    """Return the object in a line; its numbers are text, as they are written."""
    try:
        record = json.loads(
            line,
            parse_int=str,
            parse_float=str,
            parse_constant=lambda name: None if name == "NaN" else name,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        raise DataError(f"{where}: must be a whole JSON object: {reason}") from error
    if not isinstance(record, dict):
        rule = 'must be a JSON object, as {"first": "...", "second": "...", "label": 1}'
        raise DataError(f"{where}: {rule}, got {shown(line.strip())}")
    return record


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError(f"a key is repeated, got {', '.join(shown(key) for key, _ in pairs)}")
    return record


def read_parquet(path: Path, texts: Collection[str]) -> Rows:
    """Yield the number and the cells of each row as text, from 1, after the header as row 0.

    Args:
        path: Parquet file, or ``NAME-*-of-00002.parquet`` for all shards of one table.
        texts: Columns that must not hold lists or structures.

    Raises:
        DataError: If it is no Parquet file, or a shard is missing.
    """
    return _read_batches(path, find_shards(path), _parquet_batches, texts)


def find_shards(path: Path) -> list[Path]:
    """Return the files of a table: the file, or all of ``NAME-*-of-00002.parquet``.

    Raises:
        DataError: If one of them is missing.
    """
    found = _SHARDS.fullmatch(path.name)
    if found is None:
        return [path]
    stem, of, count, ending = found.groups()
    shards = [path.with_name(f"{stem}-{n:05}{of}{count}{ending}") for n in range(int(count))]
    absent = [shard.name for shard in shards if not shard.is_file()]
    if absent:
        raise DataError(f"{path}: must be {int(count)} files, without {', '.join(absent[:3])}")
    return shards


def _parquet_batches(files: list[Path]) -> Batches:
    from pyarrow import parquet

    for path in files:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            yield names, None
            yield from ((names, batch) for batch in file.iter_batches(_BATCH))


def read_saved(path: Path, texts: Collection[str]) -> Rows:
    """Yield the rows of a split that ``save_to_disk`` of datasets wrote, as of a Parquet file.

    Args:
        path: Folder with ``state.json``.
        texts: Columns that must not hold lists or structures.

    Raises:
        DataError: If it is no such folder, or a file is missing or damaged.
    """
    try:
        state = json.loads((path / STATE).read_bytes())
        files = [path / entry["filename"] for entry in state["_data_files"]]
        indices = state.get("_indices_data_files")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: must hold a split as datasets saves it, with {STATE}") from error
    if indices:
        rule = "rows are chosen by a second file, which is not read; save it with a newer datasets"
        raise DataError(f"{path / STATE}: {rule}")
    return _read_batches(path, files, _arrow_batches, texts)


def _arrow_batches(files: list[Path]) -> Batches:
    import pyarrow

    for path in files:
        with pyarrow.OSFile(str(path)) as source, pyarrow.ipc.open_stream(source) as stream:
            names = stream.schema.names
            yield names, None
            for batch in stream:
                parts = (batch[n : n + _BATCH] for n in range(0, len(batch), _BATCH))
                yield from ((names, part) for part in parts)


def _read_batches(
    path: Path,
    files: list[Path],
    batches_of: Callable[[list[Path]], Batches],
    texts: Collection[str],
) -> Rows:
    import pyarrow

    header: list[str] | None = None
    number = 0
    try:
        refuse_pointers(files)
        for names, batch in batches_of(files):
            if header is None:
                header = names
                yield 0, header
            if names != header:
                rule = "all its files must have the same columns"
                raise DataError(f"{path}: {rule}, got {header} and {names}")
            for row in zip(*_columns(batch), strict=True):
                number += 1
                where = f"{path}: row {number}"
                cells = zip(header, row, strict=True)
                yield number, [_as_text(cell, where, name, name in texts) for name, cell in cells]
    except OSError as error:
        raise DataError(f"{path}: {unreadable(error)}") from error
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        rule = f"a value from row {number + 1} on cannot be read" if header else _no_file(path)
        raise DataError(f"{path}: {rule}: {error}") from error


def _no_file(path: Path) -> str:
    return f"is not {'a Parquet' if path.suffix.lower() == '.parquet' else 'an Arrow'} file"


def _columns(batch: RecordBatch | None) -> list[list[Any]]:
    return [] if batch is None else [column.to_pylist() for column in batch.columns]


def _is_whole(text: str) -> bool:
    """Return whether all letters are characters; JSON can hold halves of some."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_text(value: object, where: str, name: str, plain: bool) -> str:
    """Return a cell as text; a list or an object as JSON, or a DataError if it must be plain."""
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            value = value.decode()
    if isinstance(value, str):
        if not _is_whole(value):
            raise DataError(f"{where}: {name}: half of a character, as \\ud800, stands alone")
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes | list | dict | tuple):
        if plain:
            raise DataError(f"{where}: {name}: must be text or a number, got {shown(str(value))}")
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
