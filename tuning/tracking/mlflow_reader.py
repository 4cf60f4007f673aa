"""The reader of MLflow: runs, metrics and saved models, for reproducing and warm starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# MLflow reads these when it is imported, below
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent about the user
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines per trial
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # its own 7 take minutes

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import SQLAlchemyError

from measures.passwords import first_line
from tuning.tracking.mlflow_pages import SHARED_VIEW
from tuning.tracking.run_record import EARLIER_EPOCH_PREFIX, EPOCH_PREFIX

# ImportError: a database without its driver
STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError, ImportError)


class TrackingError(OSError):
    """An MLflow store that is unusable or lacks what was asked for; the message says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedRun:
    """A run as MLflow has it.

    Attributes:
        run_id: MLflow's id of the run.
        name: Title of the run.
        finished: Whether the run ended well.
        failed: Whether the run ended with an error.
        tags: Tags.
        params: Parameters, as text.
        metrics: Final metrics, whose names have no prefix.
        epochs: Metrics of the last epoch, without their prefix.
    """

    run_id: str
    name: str
    finished: bool
    failed: bool
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    epochs: dict[str, float]

    @property
    def launch(self) -> str | None:
        """Return the identifier of the launch that the run belongs to; None if it has none."""
        return self.tags.get("launch")


def read_runs(client: MlflowClient, experiment_id: str, query: str) -> list[LoggedRun]:
    """Return all runs that a query in MLflow's search syntax finds, newest first."""
    found, token = [], None
    while True:
        page = client.search_runs([experiment_id], query, max_results=1000, page_token=token)
        found += [_logged(run) for run in page]
        token = page.token
        if not token:
            return found


def _logged(run: Run) -> LoggedRun:
    metrics = run.data.metrics
    return LoggedRun(
        run_id=run.info.run_id,
        name=str(run.info.run_name),
        finished=run.info.status == "FINISHED",
        failed=run.info.status == "FAILED",
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        metrics={name: value for name, value in metrics.items() if "/" not in name},
        epochs={
            name.partition("/")[2]: value
            for name, value in metrics.items()
            if name.startswith((EPOCH_PREFIX, EARLIER_EPOCH_PREFIX))
        },
    )


def fetch_run(uri: str, run_id: str, folder: Path) -> tuple[Path, Path, dict[str, float]]:
    """Download the saved model of a trial's run, and its parent's encoder, into ``folder``.

    Args:
        uri: URI of the MLflow store.
        run_id: MLflow's id of the trial's run.
        folder: Existing folder to download into.

    Returns:
        The folder of the classifier, the folder of the encoder, and the run's final metrics.

    Raises:
        TrackingError: If there is no such run, or it has no saved model.
    """
    try:
        client = MlflowClient(tracking_uri=uri)
        run = client.get_run(run_id)
        parent = run.data.tags.get(MLFLOW_PARENT_RUN_ID, "")
        model = client.download_artifacts(run_id, "model", str(folder))
        encoder = client.download_artifacts(parent, "encoder", str(folder))
    except STORE_ERRORS as error:
        reason = first_line(error)
        raise TrackingError(f"{run_id}: no saved model in the MLflow store: {reason}") from error
    return Path(model), Path(encoder), _logged(run).metrics


def finished_trials(uri: str, experiment: str) -> list[str]:
    """Return the ids of an experiment's finished trials that saved a model, newest first.

    Trials that a search drew save none; those that it retrained do.

    Raises:
        TrackingError: If the store has no such experiment, or cannot be read.
    """
    runs = _runs_of(uri, experiment, "tags.kind = 'trial' and attributes.status = 'FINISHED'")
    if runs is None:
        raise TrackingError(f"{experiment}: no such experiment in the MLflow store")
    return [run.run_id for run in runs if run.tags.get("stage") != "search"]


def read_trials(uri: str, experiment: str, same: Mapping[str, str]) -> list[LoggedRun]:
    """Return the finished trials of an experiment whose launch has these tags, newest first.

    Trials of a grid and trials that a search drew count, retrained ones do not.

    Args:
        uri: URI of the MLflow store.
        experiment: Name of the experiment; the list is empty if the store has none of that name.
        same: Tags, with their values, that the trial's parent run must have.

    Raises:
        TrackingError: If the store cannot be read.
    """
    runs = _runs_of(uri, experiment, "attributes.status != 'KILLED'") or []
    launches = {run.run_id for run in runs if same.items() <= run.tags.items()}
    return [
        run
        for run in runs
        if run.finished
        and run.tags.get("kind") == "trial"
        and run.tags.get("stage", "search") == "search"
        and run.tags.get(MLFLOW_PARENT_RUN_ID) in launches
    ]


def find_newest_launch(uri: str) -> tuple[str, str | None] | None:
    """Return the newest launch in the store; None if it has no launch.

    Returns:
        MLflow's id of its experiment, and its identifier; None for the identifier of a launch
        without a view, as earlier versions logged them.

    Raises:
        TrackingError: If the store cannot be read.
    """
    try:
        client = MlflowClient(tracking_uri=uri)
        tags = {found.experiment_id: found.tags for found in client.search_experiments()}
        query, newest = "tags.kind = 'experiment'", ["attributes.start_time DESC"]
        runs = client.search_runs(list(tags), query, max_results=1, order_by=newest)
    except STORE_ERRORS as error:
        raise _unusable(error) from error
    if not runs:
        return None
    experiment, launch = runs[0].info.experiment_id, runs[0].data.tags.get("launch", "")
    return experiment, launch if f"{SHARED_VIEW}{launch}" in tags[experiment] else None


def _runs_of(uri: str, experiment: str, query: str) -> list[LoggedRun] | None:
    """Return the runs of an experiment that a query finds; None if there is no such experiment."""
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        return read_runs(client, found.experiment_id, query) if found else None
    except STORE_ERRORS as error:
        raise _unusable(error) from error


def _unusable(error: Exception) -> TrackingError:
    return TrackingError(f"tracking: the MLflow store cannot be used: {first_line(error)}")
