"""File locks beside SQLite databases, for steps that one process at a time may take."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from filelock import FileLock
from sqlalchemy.engine import make_url


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for a server, or if its folder does not exist.

    Without that rule a lock would make the folder of a mistyped URL.

    Raises:
        ArgumentError: If it is no URL (an error of SQLAlchemy's).
    """
    if not url.startswith("sqlite:"):
        return None
    database = make_url(url).database
    return Path(database) if database and Path(database).parent.is_dir() else None


def lock_sqlite(url: str) -> AbstractContextManager[object]:
    """Return the lock of a SQLite database, in ``FILE.lock``, to be held in a ``with`` block.

    For a server, which orders its clients itself, the block holds nothing.
    """
    file = sqlite_file(url)
    return FileLock(f"{file}.lock") if file else nullcontext()
