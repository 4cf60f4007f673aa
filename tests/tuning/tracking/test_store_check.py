"""Guards the check of a store: absent, away, wrong or there, and its password is never shown."""

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.empty_store import put_store
from tuning.tracking import store_check
from tuning.tracking.run_record import TrackingError
from tuning.tracking.store_check import check_store, try_making


@pytest.fixture
def silent() -> Iterator[int]:
    """Yield the port of a server that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("folder", ["", "no/such/folder/"])
def test_a_store_that_does_not_exist_is_not_made(tmp_path: Path, folder: str) -> None:
    found = check_store(f"sqlite:///{tmp_path}/{folder}mlflow.db")
    assert found.text.endswith("mlflow.db: does not exist yet; the first launch makes it")
    assert not found.stops
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_store_that_is_there_answers(tmp_path: Path) -> None:
    found = check_store(put_store(tmp_path / "mlflow.db"))
    assert found.text.endswith("mlflow.db: answers, 1 experiments")
    assert not found.stops


@pytest.mark.slow
def test_a_server_that_does_not_listen_is_away_and_stops_nothing() -> None:
    found = check_store("http://me:secret@127.0.0.1:1")
    assert found.text.startswith("http://***@127.0.0.1:1: does not answer: ")
    assert "secret" not in found.text + found.way_out
    assert "a launch does not wait" in found.way_out
    assert not found.stops


def test_a_server_that_never_answers_is_waited_for_only_so_long(silent: int) -> None:
    found = check_store(f"http://127.0.0.1:{silent}", 0.5)
    assert found.text.endswith("does not answer: it has not answered within 0.5 seconds")
    assert not found.stops


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["nowhere://me:secret@x", "sqlite:nothing"])
def test_a_store_that_can_never_work_is_a_fault_with_the_way_out(uri: str) -> None:
    found = check_store(uri)
    assert ": cannot be used: " in found.text
    assert "secret" not in found.text
    assert "name another with --tracking-uri" in found.way_out
    assert found.stops


@pytest.mark.slow
def test_a_file_that_is_no_database_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    found = check_store(f"sqlite:///{tmp_path}/mlflow.db")
    assert found.stops
    assert "not a database" in found.text


def test_a_store_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = check_store(f"sqlite:///{tmp_path}/file/mlflow.db")
    assert f"{tmp_path / 'file'}: cannot be written: Not a directory" in found.text
    assert "name another with --tracking-uri" in found.way_out
    assert found.stops


def test_the_database_of_another_program_is_a_fault(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "optuna.db") as database:
        database.execute("create table studies (study_id integer)")
    found = check_store(f"sqlite:///{tmp_path}/optuna.db")
    assert "optuna.db: is a database without an MLflow store" in found.text
    assert found.stops


def test_a_try_at_a_store_leaves_nothing(tmp_path: Path) -> None:
    try_making(tmp_path / "folder/mlflow.db")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_store_is_refused_where_its_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrackingError, match="the MLflow store cannot be used") as caught:
        try_making(tmp_path / "file/mlflow.db")
    assert f"{tmp_path / 'file'}: cannot be made for the log: File exists" in str(caught.value)
    assert str(caught.value).endswith("--tracking-uri names another")


def test_a_store_is_refused_where_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_check, "_STORE_BYTES", 2**31)  # SQLite refuses it, as a full disk
    with pytest.raises(TrackingError, match=r"mlflow\.db: cannot be made: .*too big") as caught:
        try_making(tmp_path / "mlflow.db")
    assert str(caught.value).endswith("--tracking-uri names another")
    assert list(tmp_path.iterdir()) == []
