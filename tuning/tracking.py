"""The only writer of MLflow: a parent run for an experiment, a child run for each trial."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_ENABLE_TELEMETRY", "false")  # nothing is sent about the user
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 wait minutes for no server

from mlflow.entities import Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from sqlalchemy.exc import SQLAlchemyError

logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # tells of each new table

EPOCH_PREFIX = "epoch/"  # apart from the final scores, and a section of its own in the UI


class TrackingError(OSError):
    """A store that cannot be used; the message names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Logged:
    """A run as the log has it; ``metrics`` are the final ones, without those by epoch."""

    run_id: str
    name: str
    finished: bool
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    epochs: dict[str, float]


class Tracker:
    """Writes one experiment's log; used by the driver alone.

    Args:
        uri: An MLflow tracking URI; a SQLite store is made if it does not exist.
        experiment: Name of the MLflow experiment; made if it does not exist.
        artifacts: Where a new experiment keeps its files if the store is a local database.

    Raises:
        TrackingError: If the store cannot be opened or written.
    """

    def __init__(self, uri: str, experiment: str, artifacts: Path) -> None:
        try:
            self.client = MlflowClient(tracking_uri=uri)
            self.experiment_id = self._find_or_create(uri, experiment, artifacts)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            reason = str(error).strip().split("\n")[0]
            raise TrackingError(f"tracking: the MLflow store cannot be used: {reason}") from error
        self.parent_id = ""
        self._runs: dict[str, str] = {}

    def _find_or_create(self, uri: str, name: str, artifacts: Path) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                raise MlflowException(f"experiment {name!r} was deleted; restore it or rename")
            return found.experiment_id
        local = uri.startswith("sqlite:")
        location = (artifacts / name).as_uri() if local else None
        return self.client.create_experiment(name, artifact_location=location)

    def start_parent(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Open the parent run; its parameters are the experiment's, without the trials'."""
        self.parent_id = self._create(name, params, {**tags, "kind": "experiment"})

    def start_trial(
        self,
        trial: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Open the child run of a trial, once, with every field of its configuration."""
        if trial not in self._runs:
            tags = {**(tags or {}), MLFLOW_PARENT_RUN_ID: self.parent_id, "kind": "trial"}
            self._runs[trial] = self._create(name, params, tags)

    def _create(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        run = self.client.create_run(
            self.experiment_id, run_name=name, tags={**tags, MLFLOW_RUN_NAME: name}
        )
        self.client.log_batch(
            run.info.run_id, params=[Param(key, str(value)) for key, value in params.items()]
        )
        return run.info.run_id

    def log_epoch(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of an epoch, under ``epoch/``, in one call."""
        self._log(self._runs[trial], metrics, EPOCH_PREFIX, epoch)

    def log_outcome(self, trial: str, metrics: Mapping[str, float], folder: Path | None) -> None:
        """Write every file in ``folder`` as artifacts of a trial, then its final metrics.

        A run with final metrics has everything.
        """
        run_id = self._runs[trial]
        if folder is not None:
            self.client.log_artifacts(run_id, str(folder))
        flags = [name for name in ("collapsed", "diverged") if metrics.get(name)]
        self.client.log_batch(run_id, tags=[RunTag("flags", ", ".join(flags) or "none")])
        self._log(run_id, metrics, "", 0)

    def _log(self, run_id: str, metrics: Mapping[str, float], prefix: str, step: int) -> None:
        now = int(time.time() * 1000)
        batch = [Metric(prefix + name, value, now, step) for name, value in metrics.items()]
        self.client.log_batch(run_id, metrics=batch)

    def end_trial(self, trial: str, *, cause: str | None = None) -> None:
        """Close a trial's run: finished, or failed with its cause as a tag."""
        run_id = self._runs[trial]
        if cause is not None:
            self.client.set_tag(run_id, "cause", cause[:5000])
        self.client.set_terminated(run_id, "FINISHED" if cause is None else "FAILED")

    def resume_parent(self, run_id: str) -> None:
        """Go on with the parent run of a launch that was interrupted."""
        self.parent_id = run_id
        self.client.update_run(run_id, status="RUNNING")

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def children(self, stage: str) -> list[Logged]:
        """Return the runs of a stage of this launch."""
        query = f"tags.stage = '{stage}' and tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.parent_id}'"
        return read_runs(self.client, self.experiment_id, query)

    def settle(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Finish a run that a crash left open, with its final metrics if they are missing."""
        self._log(run_id, metrics, "", 0)
        self.client.set_terminated(run_id, "FINISHED")

    def close_interrupted(self, run_id: str) -> None:
        """Close a run that a crash cut off; its configuration runs again as another."""
        self.client.set_tag(run_id, "cause", "interrupted; its configuration runs again")
        self.client.set_terminated(run_id, "KILLED")

    def log_champion(
        self, params: Mapping[str, Any], metrics: Mapping[str, float], folder: Path
    ) -> str:
        """Return the run that holds the champion: its scores, its seeds' models, its tables.

        The parent run gets the same scores under ``champion/``; the model registry a version
        with the alias ``champion``.
        """
        tags = {MLFLOW_PARENT_RUN_ID: self.parent_id, "kind": "champion"}
        run_id = self._create("champion", params, tags)
        self.client.log_artifacts(run_id, str(folder))
        self._log(run_id, metrics, "", 0)
        self._log(self.parent_id, metrics, "champion/", 0)
        self._register(run_id)
        self.client.set_terminated(run_id, "FINISHED")
        return run_id

    def _register(self, run_id: str) -> None:
        name = self.client.get_experiment(self.experiment_id).name
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        source = self.client.get_run(run_id).info.artifact_uri
        version = self.client.create_model_version(name, str(source), run_id)
        self.client.set_registered_model_alias(name, "champion", version.version)

    def keep(self, file: Path, folder: str) -> None:
        """Keep a file that all trials share as an artifact of the parent run."""
        self.client.log_artifact(self.parent_id, str(file), folder)

    def end_parent(self, *, failed: int, summary: Mapping[str, float]) -> None:
        """Close the parent run with the best trial's scores."""
        self._log(self.parent_id, summary, "best/", 0)
        self.client.set_terminated(self.parent_id, "FAILED" if failed else "FINISHED")

    def run_id(self, trial: str) -> str:
        """Return the id of the trial's run."""
        return self._runs[trial]


def read_runs(client: MlflowClient, experiment_id: str, query: str) -> list[Logged]:
    """Return all runs that a query finds, newest first."""
    found, token = [], None
    while True:
        page = client.search_runs([experiment_id], query, max_results=1000, page_token=token)
        found += [_logged(run) for run in page]
        token = page.token
        if not token:
            return found


def _logged(run: Run) -> Logged:
    metrics = run.data.metrics
    return Logged(
        run_id=run.info.run_id,
        name=str(run.info.run_name),
        finished=run.info.status == "FINISHED",
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
        reason = str(error).strip().split("\n")[0]
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


def read_trials(uri: str, experiment: str, same: Mapping[str, str]) -> list[Logged]:
    """Return the finished trials of an experiment whose launch has these tags, newest first.

    None if there is no such experiment. Trials that were retrained, and not drawn, do not count.

    Raises:
        TrackingError: If the store cannot be read.
    """
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return []
        runs = read_runs(client, found.experiment_id, "attributes.status != 'KILLED'")
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise TrackingError(f"tracking: the MLflow store cannot be used: {reason}") from error
    launches = {run.run_id for run in runs if same.items() <= run.tags.items()}
    return [
        run
        for run in runs
        if run.finished
        and run.tags.get("kind") == "trial"
        and run.tags.get("stage", "search") == "search"
        and run.tags.get(MLFLOW_PARENT_RUN_ID) in launches
    ]


def close_launch(uri: str, run_id: str) -> None:
    """Close a launch that was interrupted and will not be resumed."""
    MlflowClient(tracking_uri=uri).set_terminated(run_id, "KILLED")


def unfinished_launch(uri: str, experiment: str) -> Logged | None:
    """Return the newest launch of an experiment that neither finished nor failed.

    Raises:
        TrackingError: If the store cannot be read.
    """
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return None
        query = "tags.kind = 'experiment' and attributes.status = 'RUNNING'"
        runs = read_runs(client, found.experiment_id, query)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise TrackingError(f"tracking: the MLflow store cannot be used: {reason}") from error
    return runs[0] if runs else None
