"""Guards delivery to a store that lost something: all is told once more, nothing twice."""

import time
from pathlib import Path

import pytest

from tests.tuning.tracking.recording import names_in, open_log, run_trials, uri_in
from tuning.tracking.delivery import Delivery, deliver
from tuning.tracking.journal import Journal, earlier_journals, write_delivered
from tuning.tracking.launch_log import PARENT, LaunchLog
from tuning.tracking.mlflow_reader import find_launches
from tuning.tracking.mlflow_writer import MlflowWriter


def write_all(log: LaunchLog, uri: str, times: int = 1) -> MlflowWriter:
    for _ in range(times):
        assert deliver(log.journal.folder, uri) > 0
    return MlflowWriter(uri, log.journal.entries[0], log.journal.folder)


def curve(store: MlflowWriter, key: str) -> list[float]:
    history = store.client.get_metric_history(store.run_id(key), "while_training/val_f1")
    return [point.value for point in history]


def test_a_resumed_launch_tells_a_store_that_lost_it_everything_once(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    log = open_log(tmp_path / "a", uri, "x")
    run_trials(log, "1")
    write_delivered(tmp_path / "a", uri, len(log.journal.entries))  # to a file that was deleted
    delivery = Delivery(Journal(tmp_path / "a"), uri)
    delivery.start()
    assert delivery.check(60) is None
    assert delivery.close(60) == 0
    assert names_in(uri) == ["1"]
    store = MlflowWriter(uri, log.journal.entries[0], tmp_path / "a")
    assert curve(store, "1") == [0.5]


def test_what_was_delivered_to_one_store_is_not_held_to_be_in_another(tmp_path: Path) -> None:
    log = open_log(tmp_path / "a", uri_in(tmp_path), "x")
    run_trials(log, "1")
    for folder in (tmp_path, tmp_path / "b"):
        assert deliver(tmp_path / "a", uri_in(folder)) == len(log.journal.entries)
        assert names_in(uri_in(folder)) == ["1"]
        assert deliver(tmp_path / "a", uri_in(folder)) == 0


@pytest.mark.parametrize("key", [PARENT, "1"])
def test_a_run_that_was_deleted_in_mlflow_is_restored_without_a_second_one(
    tmp_path: Path, key: str
) -> None:
    uri = uri_in(tmp_path)
    log = open_log(tmp_path / "a", uri, "x")
    run_trials(log, "1", "2")
    store = write_all(log, uri)
    before = {name: store.run_id(name) for name in (PARENT, "1", "2")}
    store.client.delete_run(before[key])
    log.tag(key, {"more": "came later"})
    assert deliver(tmp_path / "a", uri) > 1
    store = MlflowWriter(uri, log.journal.entries[0], tmp_path / "a")
    assert {name: store.run_id(name) for name in before} == before
    assert [curve(store, name) for name in ("1", "2")] == [[0.5], [0.5]]
    assert store.client.get_run(before[key]).data.tags["more"] == "came later"


def test_a_trial_belongs_to_the_parent_run_that_the_store_has_now(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    log = open_log(tmp_path / "a", uri, "x")
    run_trials(log, "1")
    store = write_all(log, uri)
    store.client.set_tag(store.run_id(PARENT), "key", "purged from the trash")
    store = write_all(log, uri)
    trial = store.client.get_run(store.run_id("1"))
    assert trial.data.tags["mlflow.parentRunId"] == store.run_id(PARENT)


def test_a_run_deleted_while_it_is_written_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    log = open_log(tmp_path / "a", uri, "x")
    run_trials(log, "1")
    delivery = Delivery(log.journal, uri)
    delivery.start()
    while delivery.delivered < len(log.journal.entries):
        time.sleep(0.01)
    assert delivery.store is not None
    delivery.store.client.delete_run(delivery.store.run_id("1"))
    log.tag("1", {"more": "came later"})
    run_trials(log, "2")
    assert delivery.close(60) == 0
    assert names_in(uri) == ["1", "2"]


def test_launches_in_a_store_whose_file_is_gone_are_named_before_it_is_made(
    tmp_path: Path,
) -> None:
    uri = f"sqlite:///{tmp_path / 'gone.db'}"
    for name in ("told", "untold"):
        open_log(tmp_path / name, uri, "x")
    write_delivered(tmp_path / "told", uri, 2)
    log = open_log(tmp_path / "new", uri, "x")
    earlier = [j for j in earlier_journals(tmp_path, uri) if j.folder != tmp_path / "new"]
    delivery = Delivery(log.journal, uri, earlier)
    expected = "the MLflow store has lost earlier launches (told): COMMAND tells it again"
    assert delivery.lost("COMMAND") == expected
    delivery.start()
    assert delivery.close(60) == 0
    assert delivery.lost("COMMAND") is None
    assert not delivery.refused
    assert len(find_launches(uri)) == 2  # this one, and the one that was never told


def test_a_new_launch_says_which_earlier_ones_the_store_has_lost(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    open_log(tmp_path / "lost", uri, "x")
    write_all(open_log(tmp_path / "kept", uri, "x"), uri)
    store = write_all(open_log(tmp_path / "trashed", uri, "x"), uri)
    store.client.delete_run(store.run_id(PARENT))  # in MLflow's trash: on purpose
    write_delivered(tmp_path / "lost", uri, 2)
    earlier = earlier_journals(tmp_path, uri)
    delivery = Delivery(open_log(tmp_path / "new", uri, "x").journal, uri, earlier)
    delivery.start()
    assert delivery.check(60) is None
    expected = "the MLflow store has lost earlier launches (lost): COMMAND tells it again"
    assert delivery.lost("COMMAND") == expected
    assert delivery.lost("COMMAND") is None
    delivery.close(60)


def test_a_journal_that_cannot_be_delivered_holds_up_no_other(tmp_path: Path) -> None:
    uri = uri_in(tmp_path)
    blocked = open_log(tmp_path / "a", uri, "gone")
    client = write_all(blocked, uri).client
    found = client.get_experiment_by_name("gone")
    assert found is not None
    client.delete_experiment(found.experiment_id)
    open_log(tmp_path / "b", uri, "gone")
    run_trials(open_log(tmp_path / "c", uri, "x"), "1")
    earlier = earlier_journals(tmp_path, uri)
    delivery = Delivery(open_log(tmp_path / "d", uri, "y").journal, uri, earlier)
    delivery.start()
    assert delivery.check(60) is None
    assert delivery.close(60) == 0
    assert names_in(uri) == ["1"]
    (sentence,) = delivery.refused
    assert sentence.startswith("b is not delivered: experiment 'gone' is in MLflow's trash; ")


def test_files_that_are_gone_hold_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uri = uri_in(tmp_path)
    log = open_log(tmp_path / "a", uri, "x")
    log.keep(tmp_path / "a/table.svg", "figures")
    run_trials(log, "1")
    write_all(log, uri)
    assert names_in(uri) == ["1"]
    assert f"{tmp_path / 'a/table.svg'} is gone" in caplog.text


def test_a_store_that_is_being_made_is_not_said_to_be_silent(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new.db'}"
    journal = open_log(tmp_path / "a", uri, "x").journal
    assert Delivery(journal, uri).check(0.01) is None
    (tmp_path / "new.db").touch()
    silent = Delivery(journal, uri).check(0.01)
    assert silent is not None
    assert "has not answered for 0.01 seconds" in silent


def test_results_that_were_moved_are_told_to_a_new_store_beside_them(tmp_path: Path) -> None:
    log = open_log(tmp_path / "old/a", uri_in(tmp_path / "old"), "x")
    (tmp_path / "old/a/table.svg").write_text("<svg/>")
    log.keep(tmp_path / "old/a/table.svg", "figures")
    (tmp_path / "old").rename(tmp_path / "new")
    assert deliver(tmp_path / "new/a", uri_in(tmp_path)) == len(log.journal.entries)
    assert list((tmp_path / "new").glob("artifacts/x/*/artifacts/figures/table.svg"))
    assert not (tmp_path / "old").exists()


def test_an_experiment_that_was_moved_says_where_its_new_files_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = open_log(tmp_path / "old/a", uri_in(tmp_path / "old"), "x")
    (tmp_path / "old/a/table.svg").write_text("<svg/>")
    log.keep(tmp_path / "old/a/table.svg", "figures")
    deliver(tmp_path / "old/a", uri_in(tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    open_log(tmp_path / "new/b", uri_in(tmp_path / "new"), "x")
    deliver(tmp_path / "new/b", uri_in(tmp_path / "new"))
    assert f"experiment 'x' was moved: its new files go to the old place, file://{tmp_path}" in (
        caplog.text
    )
