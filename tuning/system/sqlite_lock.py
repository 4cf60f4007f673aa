"""A lock beside a SQLite file, for what only one program may do to it at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from filelock import FileLock

_PREFIX = "sqlite:///"


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for a server, or where the folder does not exist.

    A lock there would make the folder.
    """
    file = Path(url.removeprefix(_PREFIX))
    return file if url.startswith(_PREFIX) and file.parent.is_dir() else None


def lock_sqlite(url: str) -> AbstractContextManager[object]:
    """Return a lock beside a SQLite file; for a server nothing, since it orders its clients."""
    file = sqlite_file(url)
    return FileLock(f"{file}.lock") if file else nullcontext()
