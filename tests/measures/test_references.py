"""Guards files that a log has by reference: readers follow it, or say it is gone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from analysis.stores import fetch_artifact
from measures.references import SAVED_AT, ReferenceGoneError, fetch_referenced
from models.logged_models import ModelError, fetch_model
from tests.tuning.tracking.recording import deliver_all, outcome, uri_in
from tuning.system.storage_path import StoragePath
from tuning.tracking.journal import Journal
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.mlflow_reader import TrackingError, fetch_run


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return the folder of a trial in what all machines reach."""
    folder = outcome(tmp_path / "shared place")
    (folder / "predictions.csv").write_text("row\n1\n")
    return folder


@pytest.fixture
def logged(tmp_path: Path, saved: Path) -> tuple[str, str]:
    """Return the URI of a store, and the id of a trial that it has by reference."""
    uri, shared = uri_in(tmp_path), StoragePath(saved.parent.as_uri())
    log = LaunchLog(Journal(tmp_path / "launch"), shared)
    log.open("x", tmp_path / "artifacts", uri, {"seed": 0})
    log.start_parent("parent", {"trials": 1}, {})
    (tmp_path / "launch/config.json").write_text("{}")
    log.keep(tmp_path / "launch/config.json", "encoder")
    log.start_trial("a", "a", {"seed": 0})
    log.log_outcome("a", {"val_f1": 0.5}, tmp_path / "launch/outcome")
    log.end_trial("a")
    return uri, deliver_all(log, uri).run_id("a")


def test_the_store_has_the_place_of_what_a_trial_saved_and_no_copy(
    logged: tuple[str, str], saved: Path
) -> None:
    uri, run_id = logged
    client = MlflowClient(uri)
    assert client.get_run(run_id).data.tags[SAVED_AT] == saved.as_uri()
    assert client.list_artifacts(run_id) == []


def test_reproduction_report_and_prediction_find_what_a_trial_saved(
    logged: tuple[str, str], tmp_path: Path
) -> None:
    uri, run_id = logged
    places = [tmp_path / name for name in ("reproduced", "reported", "predicted")]
    for place in places:
        place.mkdir()
    model, encoder, metrics = fetch_run(uri, run_id, places[0])
    table = fetch_artifact(MlflowClient(uri), run_id, "predictions.csv", places[1])
    name, served = fetch_model(run_id, uri, places[2])
    assert (model / "classifier.json").read_text() == "{}"
    assert (model.parent / "predictions.csv").read_text() == table.read_text() == "row\n1\n"
    assert ((encoder / "config.json").read_text(), metrics) == ("{}", {"val_f1": 0.5})
    assert name == f"runs:/{run_id}/model"
    assert (served / "classifier.json").read_text() == "{}"


def test_a_run_without_a_reference_and_what_was_not_saved_are_not_fetched(
    saved: Path, tmp_path: Path
) -> None:
    assert fetch_referenced({}, "abc", "model", tmp_path) is None
    assert fetch_referenced({SAVED_AT: str(saved)}, "abc", "attention.json", tmp_path) is None


def for_report(uri: str, run_id: str, folder: Path) -> Path:
    return fetch_artifact(MlflowClient(uri), run_id, "model", folder)


def for_prediction(uri: str, run_id: str, folder: Path) -> Path:
    return fetch_model(run_id, uri, folder)[1]


@pytest.mark.parametrize("read", [fetch_run, for_report, for_prediction])
def test_files_that_are_gone_are_told_with_run_place_and_way_out(
    read: Callable[[str, str, Path], object], logged: tuple[str, str], saved: Path, tmp_path: Path
) -> None:
    uri, run_id = logged
    shutil.rmtree(saved)
    message = f"run {run_id}: .* {saved.as_uri()} cannot be read: .* or set the run's tag saved_at"
    with pytest.raises((TrackingError, ModelError, ReferenceGoneError), match=message):
        read(uri, run_id, tmp_path)


def test_a_place_of_no_known_kind_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ReferenceGoneError, match=r"run abc: .* give this machine") as caught:
        fetch_referenced({SAVED_AT: "nowhere://me:secret@host/x"}, "abc", "model", tmp_path)
    assert "secret" not in str(caught.value)
