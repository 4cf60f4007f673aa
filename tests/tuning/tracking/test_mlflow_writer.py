"""Guards writing to MLflow and reading back: every number is kept, nothing is written twice."""

import json
import sqlite3
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from measures.addresses import AddressError, sqlite_url
from measures.objective import VALIDATION_F1
from tests.empty_store import put_store
from tests.tuning.tracking.recording import CHAMPIONS, deliver_all, open_log, outcome
from tuning.tracking.journal import Journal
from tuning.tracking.launch_log import CHAMPION, PARENT, LaunchLog
from tuning.tracking.mlflow_pages import View, source_tags
from tuning.tracking.mlflow_reader import (
    TrackingError,
    fetch_run,
    find_newest_launch,
    finished_trials,
    read_trials,
)
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.store_check import is_away


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return put_store(tmp_path_factory.mktemp("store") / "log.db")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return request.node.name


@pytest.fixture
def log(uri: str, tmp_path: Path, name: str) -> LaunchLog:
    return open_log(tmp_path, uri, name, data="embedded")


def test_a_trials_run_is_a_child_with_every_parameter(log: LaunchLog, uri: str) -> None:
    log.start_trial("a", "01-all", {"learning_rate": 0.001, "freezing": "all"})
    store = deliver_all(log, uri)
    run = store.client.get_run(store.run_id("a"))
    assert run.data.tags["mlflow.parentRunId"] == store.run_id(PARENT)
    assert run.data.params == {"learning_rate": "0.001", "freezing": "all"}
    assert run.info.run_name == "01-all"


def test_what_is_written_again_changes_nothing(log: LaunchLog, uri: str, tmp_path: Path) -> None:
    log.start_trial("a", "01", {"seed": 1})
    for epoch in (1, 2, 3):
        log.log_epoch("a", epoch, {"val_f1": epoch / 10})
    log.log_outcome("a", {"val_f1": 0.2, "collapsed": 1.0}, outcome(tmp_path))
    log.end_trial("a")
    log.log_champion(CHAMPIONS, {"test_f1": 0.7}, tmp_path / "outcome")
    log.end_parent(failed=0, summary={"test_f1": 0.7})
    stores = [deliver_all(log, uri) for _ in range(2)]
    store = stores[1]
    runs = store.client.search_runs([store.experiment_id])
    assert len(runs) == 3
    history = store.client.get_metric_history(store.run_id("a"), "while_training/val_f1")
    assert [(point.step, point.value) for point in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    (final,) = store.client.get_metric_history(store.run_id("a"), "val_f1")
    assert final.value == 0.2
    assert store.client.get_run(store.run_id("a")).data.tags["flags"] == "collapsed"
    assert len(store.client.search_model_versions(f"run_id = '{store.run_id(CHAMPION)}'")) == 1


def test_source_data_set_and_view_are_in_the_store_once(
    uri: str, tmp_path: Path, name: str
) -> None:
    log = LaunchLog(Journal(tmp_path))
    log.open(name, tmp_path / "artifacts", uri, {}, "what it is")
    source, data_set = source_tags("tuning/run_grid.py", "abc"), {
        "name": "pairs", "digest": "12ab", "source_type": "local", "source": "{}",
        "profile": '{"num_rows": 9}',
    }  # fmt: skip
    log.start_parent("parent", {}, source, data_set=data_set)
    log.keep_view(View(varied=["optimizer"]))
    log.start_trial("a", "01", {})
    _, store = (deliver_all(log, uri) for _ in range(2))
    for key in (PARENT, "a"):
        run = store.client.get_run(store.run_id(key))
        assert source.items() <= run.data.tags.items()
        assert run.inputs is not None
        (found,) = run.inputs.dataset_inputs
        assert (found.dataset.name, found.dataset.digest) == ("pairs", "12ab")
        assert [(tag.key, tag.value) for tag in found.tags] == [
            ("mlflow.data.context", "training")
        ]
    tags = store.client.get_experiment(store.experiment_id).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    view = json.loads(tags[f"mlflow.sharedViewState.{log.launch}"])
    assert view["name"] == "parent"
    assert "params.`optimizer`" in json.loads(view["state"])["selectedColumns"]
    assert find_newest_launch(uri) == (store.experiment_id, log.launch)


def test_a_launch_without_a_view_is_found_too(tmp_path: Path) -> None:
    uri = put_store(tmp_path / "log.db")
    assert find_newest_launch(uri) is None
    store = deliver_all(open_log(tmp_path, uri, "x"), uri)
    assert find_newest_launch(uri) == (store.experiment_id, None)


def test_a_kind_that_the_user_chose_is_kept(log: LaunchLog, uri: str, name: str) -> None:
    client = MlflowClient(tracking_uri=uri)
    client.create_experiment(name, tags={"mlflow.experimentKind": "genai_development"})
    store = deliver_all(log, uri)
    tags = client.get_experiment(store.experiment_id).tags
    assert tags["mlflow.experimentKind"] == "genai_development"


def test_a_final_score_comes_first_and_takes_the_place_of_the_best_so_far(
    log: LaunchLog, uri: str, tmp_path: Path
) -> None:
    log.start_trial("a", "01", {})
    for epoch, best in ((1, 0.5), (2, 0.6)):
        log.log_epoch("a", epoch, {"train_loss": 1.0}, best=best)
    store = deliver_all(log, uri)
    metrics = store.client.get_run(store.run_id("a")).data.metrics
    assert list(metrics) == [VALIDATION_F1, "while_training/train_loss"]
    assert metrics[VALIDATION_F1] == 0.6
    time.sleep(0.002)  # MLflow takes the later of two values, in milliseconds
    log.log_outcome("a", {VALIDATION_F1: 0.55}, outcome(tmp_path))
    metrics = deliver_all(log, uri).client.get_run(store.run_id("a")).data.metrics
    assert next(iter(metrics.items())) == (VALIDATION_F1, 0.55)


def test_a_failed_trial_is_logged_with_its_cause(log: LaunchLog, uri: str) -> None:
    log.start_trial("a", "01", {})
    log.end_trial("a", cause="the worker died")
    store = deliver_all(log, uri)
    run = store.client.get_run(store.run_id("a"))
    assert (run.info.status, run.data.tags["cause"]) == ("FAILED", "the worker died")


def test_a_saved_model_comes_back_with_its_encoder_and_scores(
    log: LaunchLog, uri: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/config.json").write_text("{}")
    log.start_trial("a", "01", {})
    log.log_epoch("a", 1, {"val_f1": 0.1})
    log.log_outcome("a", {"val_f1": 0.2}, outcome(tmp_path))
    log.end_trial("a")
    log.keep(tmp_path / "encoder/config.json", "encoder")
    deliver_all(log, uri)
    (run_id,) = finished_trials(uri, name)
    (tmp_path / "fetched").mkdir()
    model, encoder, metrics = fetch_run(uri, run_id, tmp_path / "fetched")
    assert (model / "classifier.json").is_file()
    assert (encoder / "config.json").is_file()
    assert metrics == {"val_f1": 0.2}


def test_an_unknown_run_is_named(uri: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=f"{'0' * 32}: no saved model in the MLflow store"):
        fetch_run(uri, "0" * 32, tmp_path)


def test_an_unknown_experiment_is_named(uri: str, log: LaunchLog) -> None:
    deliver_all(log, uri)
    with pytest.raises(TrackingError, match="nothing: no such experiment"):
        finished_trials(uri, "nothing")


def test_a_deleted_experiment_is_not_written_into(log: LaunchLog, uri: str, name: str) -> None:
    client = MlflowClient(tracking_uri=uri)
    client.delete_experiment(client.create_experiment(name))
    sentence = f"experiment '{name}' is in MLflow's trash; to restore it: MLFLOW_TRACKING_URI="
    with pytest.raises(TrackingError, match=sentence):
        deliver_all(log, uri)
    with pytest.raises(TrackingError, match=sentence):
        finished_trials(uri, name)


def test_a_file_that_is_no_database_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_text("this is no database")
    uri = f"sqlite:///{tmp_path / 'log.db'}"
    log = open_log(tmp_path, uri, "x")
    with pytest.raises(Exception, match="not a database") as caught:
        MlflowWriter(uri, log.journal.entries[0], tmp_path)
    assert not is_away(caught.value, uri)


def test_a_journal_cannot_send_files_from_elsewhere(log: LaunchLog, uri: str) -> None:
    log.journal.append({"do": "files", "run": PARENT, "path": "../../etc/hosts", "to": ""})
    with pytest.raises(
        TrackingError, match=r"is not in .*a journal may name only files of its own launch"
    ):
        deliver_all(log, uri)


def test_only_finished_trials_of_the_same_data_are_read(
    log: LaunchLog, uri: str, name: str
) -> None:
    for trial, tags in (("a", {}), ("b", {}), ("c", {"stage": "confirm"})):
        log.start_trial(trial, trial, {"seed": 0}, tags)
    for trial in ("a", "c"):
        log.end_trial(trial)
    deliver_all(log, uri)
    (found,) = read_trials(uri, name, {"data": "embedded"})
    assert (found.name, found.launch) == ("a", log.launch)
    assert read_trials(uri, name, {"data": "other"}) == []
    assert read_trials(uri, "nothing", {}) == []


def test_a_champion_is_a_run_a_registered_version_and_scores_of_the_parent(
    log: LaunchLog, uri: str, tmp_path: Path, name: str
) -> None:
    log.log_champion(CHAMPIONS, {"test_f1": 0.71}, outcome(tmp_path))
    store = deliver_all(log, uri)
    version = store.client.get_model_version_by_alias(name, "champion")
    assert version.run_id == store.run_id(CHAMPION)
    parent = store.client.get_run(store.run_id(PARENT))
    assert parent.data.metrics["champion/test_f1"] == 0.71
    files = store.client.list_artifacts(store.run_id(CHAMPION))
    assert [file.path for file in files] == ["model"]


def test_a_new_store_is_made_though_a_killed_program_left_a_part_of_one(tmp_path: Path) -> None:
    (tmp_path / "new.db.new").write_text("what a killed program left")
    uri = f"sqlite:///{tmp_path / 'new.db'}"
    deliver_all(open_log(tmp_path / "a", uri, "x"), uri)
    assert not (tmp_path / "new.db.new").exists()
    assert (tmp_path / "new.db").is_file()


@pytest.mark.slow
def test_a_store_lies_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "50%20done why? #ü {b}"
    uri = sqlite_url(folder / "log.db")
    log = open_log(folder / "a", uri, "x")
    (folder / "a/table.svg").write_text("<svg/>")
    log.keep(folder / "a/table.svg", "figures")
    deliver_all(log, uri)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    (found,) = folder.glob("a/artifacts/x/*/artifacts/figures/table.svg")
    assert found.read_text() == "<svg/>"


def test_a_database_of_another_program_is_not_written_into(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "optuna.db") as database:
        database.execute("create table studies (study_id integer)")
    before = (tmp_path / "optuna.db").read_bytes()
    uri = f"sqlite:///{tmp_path / 'optuna.db'}"
    with pytest.raises(AddressError, match=r"optuna\.db: is a database without an MLflow store"):
        deliver_all(open_log(tmp_path / "a", uri, "x"), uri)
    assert (tmp_path / "optuna.db").read_bytes() == before


def test_a_folder_that_cannot_be_made_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    uri = f"sqlite:///{tmp_path}/file/log.db"
    with pytest.raises(AddressError, match=r"file: cannot be made .*--tracking-uri names another"):
        deliver_all(open_log(tmp_path / "a", uri, "x"), uri)


def test_a_champion_is_registered_where_the_environment_says_for_its_store(
    log: LaunchLog, uri: str, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = put_store(tmp_path / "registry.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", registry)
    log.log_champion(CHAMPIONS, {"test_f1": 0.71}, outcome(tmp_path))
    deliver_all(log, uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    deliver_all(log, uri)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI")
    for store in (uri, registry):
        client = MlflowClient(tracking_uri=store, registry_uri=store)
        found = client.get_model_version_by_alias(name, "champion")
        assert str(found.version) == "1"
