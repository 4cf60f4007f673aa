"""Guards delivery: in order and exactly once, whether the store is there, away or comes back."""

import re
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from tests.tuning.tracking.recording import names_in, open_log, run_trials, uri_in
from tuning.tracking.delivery import Delivery, deliver
from tuning.tracking.journal import count_delivered, earlier_journals, sort_out
from tuning.tracking.mlflow_reader import find_launches, read_trials
from tuning.tracking.run_record import TrackingError


def waiting(folder: Path) -> list[Path]:
    uri = uri_in(folder)
    return sort_out(earlier_journals(folder, uri), uri, find_launches(uri))[0]


def test_entries_recorded_during_delivery_are_delivered_too(tmp_path: Path) -> None:
    log = open_log(tmp_path / "a", uri_in(tmp_path), "x")
    delivery = Delivery(log.journal, uri_in(tmp_path))
    delivery.start()
    assert delivery.check(60) is None
    run_trials(log, "1", "2")
    assert delivery.close(60) == 0
    assert names_in(uri_in(tmp_path)) == ["1", "2"]
    assert count_delivered(log.journal, uri_in(tmp_path)) == len(log.journal.entries)
    assert waiting(tmp_path) == []


def test_training_does_not_wait_for_a_store_that_is_made(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new.db'}"
    log = open_log(tmp_path / "a", uri, "x")
    delivery = Delivery(log.journal, uri)
    delivery.start()
    assert delivery.check(0) is None
    assert not delivery.opened.wait(0.5)  # no trial has begun
    run_trials(log, "1")
    assert delivery.opened.wait(60)
    assert delivery.close(60) == 0
    assert names_in(uri) == ["1"]


def test_a_store_that_cannot_be_made_after_all_is_told_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"sqlite:///{tmp_path / 'new.db'}"
    log = open_log(tmp_path / "a", uri, "x")
    delivery = Delivery(log.journal, uri)
    (tmp_path / "new.db").write_text("another program's")
    delivery.start()
    assert delivery.check(0) is None
    run_trials(log, "1")
    assert delivery.opened.wait(60)
    assert "not a database" in caplog.text
    assert caplog.text.rstrip().endswith("; training does not wait for it")
    assert delivery.close(0) > 0


@pytest.mark.parametrize("made", [True, False])
def test_an_mlflow_that_cannot_be_imported_ends_the_launch_or_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool, caplog: pytest.LogCaptureFixture
) -> None:
    uri = uri_in(tmp_path) if made else f"sqlite:///{tmp_path / 'new.db'}"
    log = open_log(tmp_path / "a", uri, "x")
    run_trials(log, "1")
    monkeypatch.setitem(sys.modules, "tuning.tracking.mlflow_reader", None)
    delivery = Delivery(log.journal, uri)
    delivery.start()
    if made:
        with pytest.raises(TrackingError, match=r"cannot be used: import of .* halted"):
            delivery.check(60)
    else:
        assert delivery.opened.wait(60)
        assert "halted" in caplog.text
    assert delivery.close(5) == len(log.journal.entries)


def test_a_running_launch_delivers_its_journal_alone(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new.db'}"
    log = open_log(tmp_path / "a", uri, "x")
    delivery = Delivery(log.journal, uri)
    delivery.start()
    time.sleep(0.3)
    assert deliver(tmp_path / "a", uri) == 0
    assert not (tmp_path / "new.db").exists()
    assert delivery.close(60) == 0


def test_a_launch_that_was_not_delivered_is_delivered_by_the_next(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    run_trials(open_log(tmp_path / "a", uri, "x"), "1")
    run_trials(open_log(tmp_path / "elsewhere", uri_in(tmp_path / "b"), "x"), "9")
    log = open_log(tmp_path / "c", uri, "x")
    earlier = [j for j in earlier_journals(tmp_path, uri) if j.folder != tmp_path / "c"]
    assert [journal.folder.name for journal in earlier] == ["a"]
    delivery = Delivery(log.journal, uri, earlier)
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
    assert waiting(tmp_path) == [tmp_path / "a"]
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


def test_a_trial_whose_epochs_gathered_costs_one_request_for_its_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(tmp_path / "a", uri_in(tmp_path), "x")
    log.start_trial("1", "1", {"seed": 0})
    for epoch in range(1, 6):
        log.log_epoch("1", epoch, {"val_f1": epoch / 10, "val_loss": 1.0}, best=epoch / 10)
    log.log_outcome("1", {"val_f1": 0.5, "test_f1": 0.25}, None)
    log.end_trial("1")
    sent: list[int] = []
    send = MlflowClient.log_batch

    def counted(self: MlflowClient, run_id: str, metrics: list[Metric], *rest: Any) -> None:  # noqa: ANN401 - MLflow's
        sent.append(len(metrics))
        send(self, run_id, metrics, *rest)

    monkeypatch.setattr(MlflowClient, "log_batch", counted)
    assert deliver(tmp_path / "a", uri_in(tmp_path)) == len(log.journal.entries)
    assert sent == [5 * 3 + 2, 0]  # the trial when it ended, then its parent
    client = MlflowClient(uri_in(tmp_path))
    (run,) = read_trials(uri_in(tmp_path), "x", {})
    curve = client.get_metric_history(run.run_id, "while_training/val_f1")
    assert [(point.step, point.value) for point in curve] == [(n, n / 10) for n in range(1, 6)]
    assert run.metrics["test_f1"] == 0.25
    assert run.tags["flags"] == "none"
    assert run.params == {"seed": "0"}


def test_more_metrics_than_a_request_holds_are_written_in_several(tmp_path: Path) -> None:
    log = open_log(tmp_path / "a", uri_in(tmp_path), "x")
    log.start_trial("1", "1", {"seed": 0})
    for epoch in range(1, 12):
        log.log_epoch("1", epoch, {f"val_{number}": float(number) for number in range(99)})
    log.end_trial("1")
    deliver(tmp_path / "a", uri_in(tmp_path))
    (run,) = read_trials(uri_in(tmp_path), "x", {})
    client = MlflowClient(uri_in(tmp_path))
    assert len(client.get_metric_history(run.run_id, "while_training/val_98")) == 11
