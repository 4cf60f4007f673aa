"""Guards delivery: in order and exactly once, whether the store is there, away or comes back."""

import re
import shlex
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.empty_store import put_store
from tests.tuning.tracking.recording import open_log
from tuning.tracking.__main__ import main
from tuning.tracking.delivery import Delivery, deliver, undelivered
from tuning.tracking.journal import read_delivered
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.mlflow_reader import TrackingError, read_trials


def uri_in(folder: Path) -> str:
    return put_store(folder / "log.db")


def run_trials(log: LaunchLog, *names: str) -> None:
    for name in names:
        log.start_trial(name, name, {"seed": 0})
        log.log_epoch(name, 1, {"val_f1": 0.5})
        log.end_trial(name)


def names_in(uri: str) -> list[str]:
    return sorted(run.name for run in read_trials(uri, "x", {}))


def test_entries_recorded_during_delivery_are_delivered_too(tmp_path: Path) -> None:
    log = open_log(tmp_path / "a", uri_in(tmp_path), "x")
    delivery = Delivery(log.journal, uri_in(tmp_path))
    delivery.start()
    assert delivery.check(60) is None
    run_trials(log, "1", "2")
    assert delivery.close(60) == 0
    assert names_in(uri_in(tmp_path)) == ["1", "2"]
    assert read_delivered(tmp_path / "a") == len(log.journal.entries)
    assert undelivered(tmp_path, uri_in(tmp_path)) == []


def test_the_link_to_a_launch_is_told_once_the_store_has_it(tmp_path: Path) -> None:
    log = open_log(tmp_path / "a", uri_in(tmp_path), "x")
    delivery = Delivery(log.journal, uri_in(tmp_path))
    assert delivery.page is None
    (line,) = delivery.how_to_look(own_store=True)
    assert line.split()[:2] == ["make", "ui"]
    delivery.start()
    assert delivery.close(60) == 0
    line, link = delivery.how_to_look(own_store=False)
    assert f"python -m tuning.tracking ui --tracking-uri {uri_in(tmp_path)}" in line
    assert link.startswith("  http://127.0.0.1:5000/#/experiments/")
    assert f"viewStateShareKey={log.launch}" in link
    delivery.uri = "sqlite:////a folder/it's.db"
    assert delivery.uri in shlex.split(delivery.how_to_look(own_store=False)[0])
    delivery.uri = "http://someone:secret@host"
    line, link = delivery.how_to_look(own_store=False)
    assert "secret" not in line + link
    assert "host/#/experiments/" in link


def test_a_launch_that_was_not_delivered_is_delivered_by_the_next(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    run_trials(open_log(tmp_path / "a", uri, "x"), "1")
    run_trials(open_log(tmp_path / "elsewhere", uri_in(tmp_path / "b"), "x"), "9")
    log = open_log(tmp_path / "c", uri, "x")
    older = [folder for folder in undelivered(tmp_path, uri) if folder != tmp_path / "c"]
    assert older == [tmp_path / "a"]
    delivery = Delivery(log.journal, uri, older)
    delivery.start()
    assert delivery.close(60) == 0
    assert names_in(uri) == ["1"]
    assert deliver(tmp_path / "a", uri) == 0


class Broken(BaseHTTPRequestHandler):
    """A server that answers every request with 500."""

    def do_GET(self) -> None:
        self.send_error(500, "out of order")

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.mark.slow
def test_a_server_that_answers_500_is_reported_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        uri = f"http://127.0.0.1:{server.server_port}"
        log = open_log(tmp_path / "a", uri, "x")
        delivery = Delivery(log.journal, uri)
        delivery.start()
        notice = delivery.check(60)
        run_trials(log, "1")
        left = delivery.close(1)
        server.shutdown()
    assert notice is not None
    assert re.search(r"store does not answer: .*500.*; training does not wait for it", notice)
    assert left == len(log.journal.entries)
    again = uri_in(tmp_path)
    assert deliver(tmp_path / "a", again) == left
    assert names_in(again) == ["1"]


def test_a_locked_store_is_waited_for_and_reported(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    log = open_log(tmp_path / "a", uri, "x")
    assert deliver(tmp_path / "a", uri) == len(log.journal.entries)
    run_trials(log, "1")
    with sqlite3.connect(tmp_path / "log.db") as other:
        other.execute("begin exclusive")
        delivery = Delivery(log.journal, uri)
        delivery.start()
        notice = delivery.check(1)
        assert notice is not None
        assert "the MLflow store" in notice
        assert "training does not wait for it" in notice
        assert delivery.close(0.1) > 0
    delivery.join(60)
    assert undelivered(tmp_path, uri) == [tmp_path / "a"]
    deliver(tmp_path / "a", uri)
    assert names_in(uri) == ["1"]


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("sqlite:///{folder}/log.db", "not a database"),
        ("mysql://me:secret@127.0.0.1:9/x", "No module named"),
        ("nonsense://me:secret@host/x", "nonsense"),
    ],
)
def test_an_unusable_store_is_an_error_without_a_password(
    tmp_path: Path, uri: str, reason: str
) -> None:
    (tmp_path / "log.db").write_text("this is no database")
    uri = uri.format(folder=tmp_path)
    delivery = Delivery(open_log(tmp_path / "a", uri, "x").journal, uri)
    delivery.start()
    with pytest.raises(
        TrackingError, match=f"the MLflow store cannot be used: .*{reason}"
    ) as caught:
        delivery.check(60)
    assert "secret" not in str(caught.value)
    delivery.close(0)


def test_the_command_delivers_and_prints_the_number_of_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = uri_in(tmp_path)
    log = open_log(tmp_path / "a", uri, "x")
    run_trials(log, "1")
    words = ["tracking", "deliver", "--output", str(tmp_path), "--tracking-uri", uri]
    monkeypatch.setattr(sys, "argv", words)
    assert main() == 0
    assert f"a: {len(log.journal.entries)} entries delivered" in capsys.readouterr().out
    assert main() == 0
    assert "nothing to deliver" in capsys.readouterr().out
    assert names_in(uri) == ["1"]
