"""Guards locks of SQLite databases: one process at a time, and none for a server."""

from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from tuning.system.sqlite_lock import lock_sqlite, sqlite_file


def test_a_second_process_waits_for_the_lock_of_a_database(tmp_path: Path) -> None:
    with lock_sqlite(f"sqlite:///{tmp_path / 'log.db'}"):
        other = FileLock(tmp_path / "log.db.lock", timeout=0)
        with pytest.raises(Timeout):
            other.acquire()


@pytest.mark.parametrize("url", ["postgresql://host/name", "sqlite:////absent/folder/log.db"])
def test_a_server_and_a_folder_that_does_not_exist_have_no_lock(url: str) -> None:
    assert sqlite_file(url) is None
    with lock_sqlite(url):
        assert not Path("/absent").exists()


def test_options_of_a_url_are_no_part_of_the_files_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    assert sqlite_file(f"{url}?timeout=5") == sqlite_file(url) == tmp_path / "x.db"


def test_a_database_in_memory_has_no_file() -> None:
    assert sqlite_file("sqlite:///") is None
    assert sqlite_file("sqlite://") is None
