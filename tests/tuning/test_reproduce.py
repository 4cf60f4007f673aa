"""Guards reproducing: a store that cannot be used is a sentence, and is not made or changed."""

import sqlite3
import sys
from pathlib import Path

import pytest

from tests.empty_store import put_store
from tuning import reproduce


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *words])
    try:
        return reproduce.main()
    except SystemExit as ended:
        return int(str(ended.code))


@pytest.mark.parametrize("words", [["abc"], ["--all", "grid"]])
def test_a_store_that_is_absent_is_named_and_not_made(
    tmp_path: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *words, "--tracking-uri", "sqlite:///none.db") == 2
    assert f"{tmp_path / 'none.db'}: no such MLflow store" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["abc"], ["--all", "grid"]])
@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ("text", "file is not a database"),
        ("update alembic_version set version_num = 'cfd24bdc0731'", "out-of-date database schema"),
        ("drop table experiments", "is a database without an MLflow store"),
    ],
)
def test_a_store_that_cannot_be_read_is_a_sentence(
    tmp_path: Path,
    harm: str,
    sentence: str,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "log.db"
    uri = put_store(path)
    if harm == "text":
        path.write_text("this is no database")
    else:
        with sqlite3.connect(path) as database:
            database.execute(harm)
    before = path.read_bytes()
    assert run(monkeypatch, *words, "--tracking-uri", uri) == 2
    assert sentence in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", [["abc"], ["--all", "grid"]])
def test_a_store_that_is_away_is_a_sentence(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert run(monkeypatch, *words, "--tracking-uri", "http://127.0.0.1:1") == 2
    assert "Connection refused" in capsys.readouterr().err
    assert run(monkeypatch, *words, "--tracking-uri", "postgresql+psycopg://127.0.0.1:1/x") == 2
    assert "127.0.0.1:1/x: cannot be opened: " in capsys.readouterr().err


@pytest.mark.parametrize("words", [[""], [" "], ["--all", ""], ["abc", "--tracking-uri", ""]])
def test_an_empty_word_is_refused(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == 2
    assert "must not be empty" in capsys.readouterr().err
