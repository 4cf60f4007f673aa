"""The only writer of MLflow: a parent run for an experiment, a child run for each trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from sqlalchemy.exc import SQLAlchemyError

from tuning.logged import EPOCH_PREFIX, Logged, TrackingError, read_runs

logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # tells of each new table


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

    def close_interrupted(self, run_id: str, cause: str) -> None:
        """Close a run that was cut off and has no result."""
        self.client.set_tag(run_id, "cause", cause)
        self.client.set_terminated(run_id, "KILLED")

    def log_champion(
        self, params: Mapping[str, Any], metrics: Mapping[str, float], folder: Path
    ) -> str:
        """Return the run that holds the champion: its scores, its seeds' models, its tables.

        The parent run gets the same scores under ``champion/``; the model registry a version
        with the alias ``champion``. A run that a crash left unfinished gives way to this one.
        """
        tags = {MLFLOW_PARENT_RUN_ID: self.parent_id, "kind": "champion"}
        for run in self._champions():
            if run.finished:
                return run.run_id
            self.close_interrupted(run.run_id, "interrupted; another run has the champion")
        run_id = self._create("champion", params, tags)
        self.client.log_artifacts(run_id, str(folder))
        self._log(run_id, metrics, "", 0)
        self._log(self.parent_id, metrics, "champion/", 0)
        self._register(run_id)
        self.client.set_terminated(run_id, "FINISHED")
        return run_id

    def _champions(self) -> list[Logged]:
        query = f"tags.kind = 'champion' and tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.parent_id}'"
        return read_runs(self.client, self.experiment_id, query)

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


def close_launch(uri: str, run_id: str) -> None:
    """Close a launch that was interrupted and will not be resumed, with its open runs."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_run(run_id).info.experiment_id
    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}' and attributes.status = 'RUNNING'"
    for run in read_runs(client, experiment, query):
        client.set_terminated(run.run_id, "KILLED")
    client.set_terminated(run_id, "KILLED")
