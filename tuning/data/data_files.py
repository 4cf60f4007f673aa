"""The files of a data set's folder: which of them holds which split."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from models.table_files import DataError
from models.text_lines import unreadable
from models.typed_rows import STATE

SPLITS = ("train", "validation", "test")
_NAMES = {"train": "train", "test": "test"}
_NAMES |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
_FILE = re.compile(
    rf"({'|'.join(_NAMES)})(\.(?:tsv|csv|jsonl)(?:\.gz)?|\.parquet|-\d{{5}}-of-\d{{5}}\.parquet)",
    re.IGNORECASE,
)
SHARD = re.compile(r"-(?:\d{5}|\*)(?=-of-\d{5}\.)", re.IGNORECASE)  # in a name of Parquet
_KINDS = ".tsv, .csv or .jsonl (or one of these and .gz), .parquet"
_SHOWN = 8  # names in a message


def find_files(folder: Path, splits: Iterable[str] = SPLITS) -> dict[str, Path]:
    """Return the file of each of these splits.

    ``NAME-*-of-00002.parquet`` stands for all shards of a Parquet table; a split that datasets
    saved is a folder.

    Raises:
        DataError: If a split has no file, or more than one; the message names those that exist.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: {unreadable(error)}") from error
    if (folder / STATE).is_file():
        rule = "is a single split as datasets saves it; save a DatasetDict of train, validation"
        raise DataError(f"{folder}: {rule} and test")
    files: dict[str, Path] = {}
    for split in splits:
        found = sorted({place for path in entries if (place := _place(path, split))})
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise DataError(f"{folder}: {split}: could be any of {names}; leave one of them there")
        if not found:
            raise DataError(_absence(folder, split, entries))
        files[split] = found[0]
    return files


def _place(path: Path, split: str) -> Path | None:
    """Return what a path adds to a split: itself, the name of its shards, or None."""
    if path.is_dir():
        belongs = _NAMES.get(path.name.lower()) == split and (path / STATE).is_file()
        return path if belongs else None
    found = _FILE.fullmatch(path.name)
    if found is None or _NAMES[found[1].lower()] != split:
        return None
    return path.with_name(SHARD.sub("-*", path.name))


def _absence(folder: Path, split: str, entries: list[Path]) -> str:
    names = " or ".join(name for name, meant in _NAMES.items() if meant == split)
    seen = [path for path in entries if not path.name.startswith(".")]
    here = [f"{path.name}/" if path.is_dir() else path.name for path in seen]
    more = ", ..." if len(here) > _SHOWN else ""
    listed = ", ".join(here[:_SHOWN]) + more if here else "nothing"
    return (
        f"{folder}: {split} is missing; it must be named {names} and end in {_KINDS}. There is "
        f"{listed}. A data folder has one file for each of {', '.join(SPLITS)}, or is saved by "
        "datasets, or has the three PARADE files"
    )
