"""File locks beside SQLite databases, for steps that one process at a time may take."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from filelock import FileLock

from measures.addresses import sqlite_path


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for a server, or if its folder does not exist.

    Without that rule a lock would make the folder of a mistyped URL.
    """
    path = sqlite_path(url)
    return path if path is not None and path.parent.is_dir() else None


def lock_sqlite(url: str) -> AbstractContextManager[object]:
    """Return the lock of a SQLite database, in ``FILE.lock``, to be held in a ``with`` block.

    For a server, which orders its clients itself, the block holds nothing.
    """
    file = sqlite_file(url)
    return FileLock(f"{file}.lock") if file else nullcontext()
