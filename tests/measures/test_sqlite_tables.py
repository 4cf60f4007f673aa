"""Guards what is known of a SQLite file before a program adds tables to it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from measures.sqlite_tables import read_tables


def test_the_tables_are_named_and_what_is_no_database_has_none(tmp_path: Path) -> None:
    path = tmp_path / "why?%20.db"
    path.touch()
    assert read_tables(path) == set()
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table one (name)")
    assert read_tables(path) == {"one"}
    path.write_text("no database" * 100)
    assert read_tables(path) is None


def test_a_folder_or_nothing_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="it is a folder"):
        read_tables(tmp_path)
    with pytest.raises(OSError, match="unable to open"):
        read_tables(tmp_path / "absent.db")
