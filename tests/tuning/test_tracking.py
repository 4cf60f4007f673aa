"""Guards the log: parent and children, every number kept, errors that name the store."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tuning.logged import (
    TrackingError,
    fetch_run,
    finished_trials,
    read_trials,
    unfinished_launch,
)
from tuning.tracking import Tracker, close_launch


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'log.db'}"


@pytest.fixture
def tracker(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> Tracker:
    tracker = Tracker(store, request.node.name, tmp_path / "artifacts")
    tracker.start_parent("parent", {"trials": 2}, {"data": "embedded"})
    return tracker


def outcome(folder: Path) -> Path:
    (folder / "outcome/model").mkdir(parents=True)
    (folder / "outcome/model/classifier.json").write_text("{}")
    return folder / "outcome"


def test_a_trials_run_is_a_child_with_every_parameter(tracker: Tracker) -> None:
    tracker.start_trial("a", "01-all", {"learning_rate": 0.001, "freezing": "all"})
    run = tracker.client.get_run(tracker.run_id("a"))
    assert run.data.tags["mlflow.parentRunId"] == tracker.parent_id
    assert run.data.params == {"learning_rate": "0.001", "freezing": "all"}
    assert run.info.run_name == "01-all"


def test_starting_a_trial_again_makes_no_second_run(tracker: Tracker) -> None:
    tracker.start_trial("a", "01", {})
    first = tracker.run_id("a")
    tracker.start_trial("a", "01", {})
    assert tracker.run_id("a") == first
    assert len(tracker.client.search_runs([tracker.experiment_id])) == 2


def test_epochs_and_final_scores_do_not_mix(tracker: Tracker, tmp_path: Path) -> None:
    tracker.start_trial("a", "01", {})
    for epoch in (1, 2, 3):
        tracker.log_epoch("a", epoch, {"val_f1": epoch / 10})
    tracker.log_outcome("a", {"val_f1": 0.2, "collapsed": 1.0}, outcome(tmp_path))
    history = tracker.client.get_metric_history(tracker.run_id("a"), "epoch/val_f1")
    assert [(point.step, point.value) for point in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    run = tracker.client.get_run(tracker.run_id("a"))
    assert run.data.metrics["val_f1"] == 0.2
    assert run.data.tags["flags"] == "collapsed"


def test_a_failed_trial_is_logged_with_its_cause(tracker: Tracker) -> None:
    tracker.start_trial("a", "01", {})
    tracker.end_trial("a", cause="the worker died")
    run = tracker.client.get_run(tracker.run_id("a"))
    assert (run.info.status, run.data.tags["cause"]) == ("FAILED", "the worker died")


def test_a_saved_model_comes_back_with_its_encoder_and_scores(
    tracker: Tracker, store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/config.json").write_text("{}")
    tracker.start_trial("a", "01", {})
    tracker.log_epoch("a", 1, {"val_f1": 0.1})
    tracker.log_outcome("a", {"val_f1": 0.2}, outcome(tmp_path))
    tracker.end_trial("a")
    tracker.keep(tmp_path / "encoder/config.json", "encoder")
    tracker.end_parent(failed=0, summary={})
    (run_id,) = finished_trials(store, request.node.name)
    (tmp_path / "fetched").mkdir()
    model, encoder, metrics = fetch_run(store, run_id, tmp_path / "fetched")
    assert (model / "classifier.json").is_file()
    assert (encoder / "config.json").is_file()
    assert metrics == {"val_f1": 0.2}


def test_an_unknown_run_is_named(store: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=f"{'0' * 32}: no saved model in the MLflow store"):
        fetch_run(store, "0" * 32, tmp_path)


def test_an_unknown_experiment_is_named(store: str) -> None:
    with pytest.raises(TrackingError, match="nothing: no such experiment"):
        finished_trials(store, "nothing")


def test_a_deleted_experiment_is_not_written_into(store: str, tmp_path: Path) -> None:
    client = MlflowClient(tracking_uri=store)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(TrackingError, match="experiment 'gone' was deleted"):
        Tracker(store, "gone", tmp_path)


def test_a_store_that_cannot_be_opened_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_text("this is no database")
    with pytest.raises(TrackingError, match="the MLflow store cannot be used"):
        Tracker(f"sqlite:///{tmp_path / 'log.db'}", "x", tmp_path)


def test_what_a_launch_left_open_is_found_until_it_is_closed(
    tracker: Tracker, store: str, request: pytest.FixtureRequest
) -> None:
    found = unfinished_launch(store, request.node.name)
    assert found is not None
    assert found.run_id == tracker.parent_id
    close_launch(store, found.run_id)
    assert unfinished_launch(store, request.node.name) is None
    tracker.resume_parent(found.run_id)
    assert unfinished_launch(store, request.node.name) is not None
    tracker.end_parent(failed=0, summary={})
    assert unfinished_launch(store, request.node.name) is None
    assert unfinished_launch(store, "nothing") is None


def test_runs_cut_off_are_settled_or_closed(tracker: Tracker) -> None:
    for number in ("0", "1"):
        tags = {"stage": "search", "optuna_trial": number}
        tracker.start_trial(number, number, {}, tags)
        tracker.log_epoch(number, 1, {"val_f1": 0.3})
    runs = {run.tags["optuna_trial"]: run for run in tracker.children("search")}
    assert runs["0"].epochs == {"val_f1": 0.3}
    assert not runs["0"].metrics
    tracker.settle(runs["0"].run_id, {"objective": 0.7})
    tracker.close_interrupted(runs["1"].run_id, "interrupted")
    runs = {run.tags["optuna_trial"]: run for run in tracker.children("search")}
    assert (runs["0"].finished, runs["0"].metrics) == (True, {"objective": 0.7})
    assert (runs["1"].finished, "interrupted" in runs["1"].tags["cause"]) == (False, True)
    assert tracker.children("confirm") == []


def test_only_finished_trials_of_the_same_data_are_read(
    tracker: Tracker, store: str, request: pytest.FixtureRequest
) -> None:
    for name, tags in (("a", {}), ("b", {}), ("c", {"stage": "confirm"})):
        tracker.start_trial(name, name, {"seed": 0}, tags)
    for name in ("a", "c"):
        tracker.end_trial(name)
    experiment = request.node.name
    assert [r.name for r in read_trials(store, experiment, {"data": "embedded"})] == ["a"]
    assert read_trials(store, experiment, {"data": "other"}) == []
    assert read_trials(store, "nothing", {}) == []


def test_a_champion_is_a_run_a_registered_version_and_scores_of_the_parent(
    tracker: Tracker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = outcome(tmp_path)
    run_id = tracker.log_champion({"head": "x"}, {"test_f1": 0.71}, folder)
    assert tracker.log_champion({"head": "x"}, {"test_f1": 0.71}, folder) == run_id
    version = tracker.client.get_model_version_by_alias(request.node.name, "champion")
    assert version.run_id == run_id
    parent = tracker.client.get_run(tracker.parent_id)
    assert parent.data.metrics["champion/test_f1"] == 0.71
    assert [file.path for file in tracker.client.list_artifacts(run_id)] == ["model"]


def test_a_champion_that_a_crash_left_unfinished_gives_way(
    tracker: Tracker, tmp_path: Path
) -> None:
    folder = outcome(tmp_path)
    first = tracker.log_champion({}, {"test_f1": 0.71}, folder)
    tracker.client.update_run(first, status="RUNNING")
    second = tracker.log_champion({}, {"test_f1": 0.71}, folder)
    assert second != first
    assert tracker.client.get_run(first).info.status == "KILLED"
