"""Guards reading from MLflow: every page of runs is read, and an unusable store is named."""

from typing import Any, cast

import pytest
from mlflow.entities import Run, RunData, RunInfo
from mlflow.store.entities import PagedList
from mlflow.tracking import MlflowClient

from tuning.tracking.mlflow_reader import TrackingError, finished_trials, read_runs, read_trials


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
