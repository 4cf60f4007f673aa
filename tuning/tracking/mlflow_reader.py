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

from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import SQLAlchemyError

from measures.addresses import check_readable, find_moved, in_trash, sqlite_path
from measures.passwords import first_line
from measures.references import fetch_referenced
from tuning.tracking.mlflow_pages import SHARED_VIEW
from tuning.tracking.run_record import EARLIER_EPOCH_PREFIX, EPOCH_PREFIX, JOINED, TrackingError

# ImportError: a database without its driver
_PREDICTIONS = "predictions.csv"  # beside a saved model
STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError, ImportError)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedRun:
    """A run as MLflow has it.

    Attributes:
        run_id: MLflow's id of the run.
        name: Title of the run.
        finished: Whether the run ended well.
        failed: Whether the run ended with an error.
        deleted: Whether the run is in MLflow's trash.
        tags: Tags.
        params: Parameters, as text.
        metrics: Final metrics, whose names have no prefix.
        epochs: Metrics of the last epoch, without their prefix.
    """

    run_id: str
    name: str
    finished: bool
    failed: bool
    deleted: bool
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    epochs: dict[str, float]

    @property
    def launch(self) -> str | None:
        """Return the identifier of the launch that the run belongs to; None if it has none."""
        return self.tags.get("launch")


def read_runs(
    client: MlflowClient, experiment_id: str, query: str, view: int = ViewType.ACTIVE_ONLY
) -> list[LoggedRun]:
    """Return all runs that a query in MLflow's search syntax finds, newest first."""
    found, token = [], None
    while True:
        page = client.search_runs([experiment_id], query, view, 1000, page_token=token)
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
        deleted=run.info.lifecycle_stage == "deleted",
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
        The folder of the classifier, beside which its predictions are if there are any; the folder
        of the encoder, and the run's final metrics.

    Raises:
        AddressError: If the store is absent, or is none.
        TrackingError: If there is no such run, or it has no saved model.
    """
    check_readable(uri)
    try:
        client = MlflowClient(tracking_uri=uri)
        run = client.get_run(run_id)
        parent = client.get_run(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
        model = _fetch(client, run, "model", folder)
        encoder = _fetch(client, parent, "encoder", folder)
        fetch_referenced(run.data.tags, run_id, _PREDICTIONS, folder)
        files = client.list_artifacts(run_id) if model.parent == folder else []
        if _PREDICTIONS in [file.path for file in files]:
            client.download_artifacts(run_id, _PREDICTIONS, str(folder))
    except STORE_ERRORS as error:
        reason = first_line(error)
        raise TrackingError(f"{run_id}: no saved model in the MLflow store: {reason}") from error
    return model, encoder, _logged(run).metrics


def _fetch(client: MlflowClient, run: Run, name: str, folder: Path) -> Path:
    """Return the folder of a run's files, fetched unless they were moved with the store."""
    referenced = fetch_referenced(run.data.tags, run.info.run_id, name, folder)
    if referenced is not None:
        return referenced
    moved = find_moved(str(run.info.artifact_uri), client.tracking_uri)
    if moved is not None and (moved / name).is_dir():
        return moved / name
    return Path(client.download_artifacts(run.info.run_id, name, str(folder)))


def finished_trials(uri: str, experiment: str) -> list[str]:
    """Return the ids of an experiment's finished trials that saved a model, newest first.

    Trials that a search drew save none; those that it retrained do.

    Raises:
        AddressError: If the store is absent, or is none.
        TrackingError: If the store has no such experiment, or cannot be read.
    """
    check_readable(uri)
    runs = _runs_of(uri, experiment, "tags.kind = 'trial' and attributes.status = 'FINISHED'")
    if runs is None:
        raise TrackingError(f"{experiment}: no such experiment in the MLflow store")
    return [run.run_id for run in runs if run.tags.get("stage") != "search"]


def read_trials(uri: str, experiment: str, same: Mapping[str, str]) -> list[LoggedRun]:
    """Return the finished trials of an experiment whose launch has these tags, newest first.

    Trials of a grid and trials that a search drew count, retrained ones do not.

    Args:
        uri: URI of the MLflow store.
        experiment: Name of the experiment; the list is empty if the store has none of that name,
            or is yet to be made.
        same: Tags, with their values, that the trial's parent run must have.

    Raises:
        TrackingError: If the store cannot be read.
    """
    file = sqlite_path(uri)
    if file is not None and not file.exists():
        return []
    runs = _runs_of(uri, experiment, "attributes.status != 'KILLED'") or []
    parents = [run for run in runs if run.tags.get("kind") != JOINED]  # has trials of another's
    launches = {run.run_id for run in parents if same.items() <= run.tags.items()}
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
        AddressError: If the store is none, or a database that does not answer.
        TrackingError: If the store cannot be read.
    """
    check_readable(uri)
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


def find_launches(uri: str) -> dict[str, bool]:
    """Return the identifiers of all launches in the store, and whether each is out of its trash.

    Raises:
        AddressError: If the store is none, or a database that does not answer.
        MlflowException, SQLAlchemyError, OSError: If the store cannot be read.
    """
    file = sqlite_path(uri)
    if file is not None and not (file.exists() and file.stat().st_size):
        return {}
    check_readable(uri)  # else MLflow tries a database that is away for minutes
    client, found = MlflowClient(tracking_uri=uri), {}
    for experiment in client.search_experiments(ViewType.ALL):
        query = "tags.key = 'launch'"
        for run in read_runs(client, experiment.experiment_id, query, ViewType.ALL):
            found[str(run.launch)] = found.get(str(run.launch), False) or not run.deleted
    return found


def _runs_of(uri: str, experiment: str, query: str) -> list[LoggedRun] | None:
    """Return the runs of an experiment that a query finds; None if there is no such experiment."""
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        if found is not None and found.lifecycle_stage == "deleted":
            raise TrackingError(in_trash(experiment, found.experiment_id, uri))
        return read_runs(client, found.experiment_id, query) if found else None
    except TrackingError:
        raise
    except STORE_ERRORS as error:
        raise _unusable(error) from error


def _unusable(error: Exception) -> TrackingError:
    return TrackingError(f"tracking: the MLflow store cannot be used: {first_line(error)}")
