"""The tables of a SQLite file, which say whose database it is before anything is added to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def read_tables(path: Path) -> set[str] | None:
    """Return the names of a SQLite file's tables; None if it is locked or no database.

    Raises:
        OSError: If it is a folder, or cannot be opened.
    """
    if path.is_dir():
        raise IsADirectoryError("it is a folder")
    try:
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro", timeout=0, uri=True)
        try:
            return {name for (name,) in database.execute("select name from sqlite_master")}
        finally:
            database.close()
    except sqlite3.OperationalError as error:
        if "unable to open" in str(error):
            raise OSError(str(error)) from error
        return None
    except sqlite3.DatabaseError:
        return None
