"""Guards reading from MLflow: every page of runs is read, and an unusable store is named."""

from pathlib import Path
from typing import Any, cast

import pytest
from mlflow.entities import Run, RunData, RunInfo
from mlflow.store.entities import PagedList
from mlflow.tracking import MlflowClient

from tests.empty_store import put_store
from tests.tuning.tracking.recording import deliver_all, open_log
from tuning.tracking.mlflow_reader import (
    TrackingError,
    fetch_run,
    find_launches,
    finished_trials,
    read_runs,
    read_trials,
)


class TwoPages:
    """An MLflow client whose store has one run on each of two pages."""

    def search_runs(self, *_: object, page_token: str | None, **__: object) -> Any:  # noqa: ANN401
        name = "second" if page_token else "first"
        info = RunInfo(
            run_id=name,
            experiment_id="0",
            user_id="",
            status="FINISHED",
            start_time=0,
            end_time=1,
            lifecycle_stage="active",
            run_name=name,
        )
        return PagedList([Run(info, RunData())], None if page_token else "more")


def test_every_page_of_runs_is_read() -> None:
    runs = read_runs(cast(MlflowClient, TwoPages()), "0", "")
    assert [(run.name, run.finished) for run in runs] == [("first", True), ("second", True)]


def test_a_store_that_cannot_be_read_is_an_error_without_a_password() -> None:
    uri = "nonsense://me:secret@host/x"
    for read in (lambda: finished_trials(uri, "x"), lambda: read_trials(uri, "x", {})):
        with pytest.raises(TrackingError, match="the MLflow store cannot be used") as caught:
            read()
        assert "secret" not in str(caught.value)


def test_a_model_in_a_store_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database", encoding="utf-8")
    for uri in ("nonsense://host/x", f"sqlite:///{tmp_path / 'text.db'}"):
        with pytest.raises(TrackingError, match="abc: no saved model in the MLflow store"):
            fetch_run(uri, "abc", tmp_path)


def test_trials_that_a_search_drew_have_no_model_to_reproduce(tmp_path: Path) -> None:
    put_store(tmp_path / "log.db")
    uri = f"sqlite:///{tmp_path / 'log.db'}"
    log = open_log(tmp_path / "a", uri, "x")
    for stage in ("search", "confirm"):
        log.start_trial(f"{stage}/1", f"{stage}-1", {"seed": 0}, {"stage": stage})
        log.log_outcome(f"{stage}/1", {"val_f1": 0.5}, None)
        log.end_trial(f"{stage}/1")
    deliver_all(log, uri)
    (run_id,) = finished_trials(uri, "x")
    assert MlflowClient(tracking_uri=uri).get_run(run_id).data.tags["stage"] == "confirm"


def test_a_saved_model_that_was_moved_with_the_store_is_found(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    uri = put_store(old / "log.db")
    log = open_log(old / "out/a", uri, "x")
    for file in ("encoder/config.json", "trial/model/classifier.json"):
        (old / "out/a" / file).parent.mkdir(parents=True)
        (old / "out/a" / file).write_text(file)
    log.keep(old / "out/a/encoder/config.json", "encoder")
    log.start_trial("1", "1", {"seed": 0})
    log.log_outcome("1", {"val_f1": 0.5}, old / "out/a/trial")
    log.end_trial("1")
    deliver_all(log, uri)
    (run_id,) = finished_trials(uri, "x")
    old.rename(new)
    model, encoder, metrics = fetch_run(f"sqlite:///{new / 'log.db'}", run_id, tmp_path)
    assert (model / "classifier.json").read_text() == "trial/model/classifier.json"
    assert (encoder / "config.json").is_file()
    assert metrics == {"val_f1": 0.5}
    assert not old.exists()


def test_trials_of_a_store_that_is_yet_to_be_made_are_none_and_do_not_make_it(
    tmp_path: Path,
) -> None:
    assert read_trials(f"sqlite:///{tmp_path / 'log.db'}", "x", {}) == []
    assert find_launches(f"sqlite:///{tmp_path / 'log.db'}") == {}
    assert not list(tmp_path.iterdir())
