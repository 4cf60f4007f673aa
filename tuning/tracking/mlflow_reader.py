"""Reads back from MLflow what reproducing, resuming and warm-starting need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("MLFLOW_ENABLE_TELEMETRY", "false")  # nothing is sent about the user
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a trial
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 wait minutes for no server

from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import SQLAlchemyError

from measures.passwords import first_line
from tuning.tracking.launch_log import EPOCH_PREFIX


class TrackingError(OSError):
    """A store that cannot be used; the message names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedRun:
    """A run as the log has it; ``metrics`` are the final ones, without those by epoch."""

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
        """Return what tells the launch that it belongs to from all others."""
        return self.tags.get("launch")


def read_runs(client: MlflowClient, experiment_id: str, query: str) -> list[LoggedRun]:
    """Return all runs that a query finds, newest first."""
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
            name.removeprefix(EPOCH_PREFIX): value
            for name, value in metrics.items()
            if name.startswith(EPOCH_PREFIX)
        },
    )


def fetch_run(uri: str, run_id: str, folder: Path) -> tuple[Path, Path, dict[str, float]]:
    """Bring the saved model of a trial's run, and its parent's encoder, into ``folder``.

    Returns:
        The folder of the classifier, that of the encoder, and the final metrics in the log.

    Raises:
        TrackingError: If there is no such run, or it has no saved model.
    """
    client = MlflowClient(tracking_uri=uri)
    try:
        run = client.get_run(run_id)
        parent = run.data.tags.get(MLFLOW_PARENT_RUN_ID, "")
        model = client.download_artifacts(run_id, "model", str(folder))
        encoder = client.download_artifacts(parent, "encoder", str(folder))
    except (MlflowException, OSError) as error:
        reason = first_line(error)
        raise TrackingError(f"{run_id}: no saved model in the MLflow store: {reason}") from error
    metrics = {name: v for name, v in run.data.metrics.items() if "/" not in name}
    return Path(model), Path(encoder), metrics


def finished_trials(uri: str, experiment: str) -> list[str]:
    """Return the ids of an experiment's finished trial runs, newest first.

    Raises:
        TrackingError: If the store has no such experiment.
    """
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        raise TrackingError(f"{experiment}: no such experiment in the MLflow store")
    query = "tags.kind = 'trial' and attributes.status = 'FINISHED'"
    runs = client.search_runs([found.experiment_id], query, ViewType.ACTIVE_ONLY, 1000)
    return [run.info.run_id for run in runs]


def read_trials(uri: str, experiment: str, same: Mapping[str, str]) -> list[LoggedRun]:
    """Return the finished trials of an experiment whose launch has these tags, newest first.

    None if there is no such experiment. Trials that were retrained, and not drawn, do not count.

    Raises:
        TrackingError: If the store cannot be read.
    """
    runs = _runs_of(uri, experiment, "attributes.status != 'KILLED'")
    launches = {run.run_id for run in runs if same.items() <= run.tags.items()}
    return [
        run
        for run in runs
        if run.finished
        and run.tags.get("kind") == "trial"
        and run.tags.get("stage", "search") == "search"
        and run.tags.get(MLFLOW_PARENT_RUN_ID) in launches
    ]


def _runs_of(uri: str, experiment: str, query: str) -> list[LoggedRun]:
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        return read_runs(client, found.experiment_id, query) if found else []
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        reason = first_line(error)
        raise TrackingError(f"tracking: the MLflow store cannot be used: {reason}") from error
