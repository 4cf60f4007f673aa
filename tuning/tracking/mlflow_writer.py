"""The only writer to MLflow: it turns journal entries into runs, metrics, tags and artifacts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
)

from tuning.system.sqlite_lock import lock_sqlite, sqlite_file
from tuning.tracking.journal import Entry
from tuning.tracking.launch_log import PARENT, SERVED
from tuning.tracking.mlflow_pages import (
    KIND,
    MODEL_TRAINING,
    NOTE,
    SHARED_VIEW,
    saved_view,
)
from tuning.tracking.mlflow_reader import TrackingError

_REQUEST_ERRORS = range(400, 500)  # HTTP codes that another try would not change


class MlflowWriter:
    """Writes the entries of one launch's journal; an entry written twice changes nothing.

    Args:
        uri: MLflow tracking URI; a SQLite store is made if it does not exist.
        opened: First entry of the journal.
        folder: Folder of the launch, which holds its files.

    Raises:
        MlflowException, SQLAlchemyError, OSError: If the store cannot be opened or made.
    """

    def __init__(self, uri: str, opened: Entry, folder: Path) -> None:
        self.folder = folder
        self.launch = str(opened["launch"])
        _quiet_libraries()
        with lock_sqlite(uri):
            _create_store(uri)
            self.client = MlflowClient(tracking_uri=uri)
            name, artifacts = opened["experiment"], Path(opened["artifacts"])
            self.experiment_id = self._find_or_create(uri, name, artifacts)
            self._describe(opened.get("note", ""))
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

    def _describe(self, note: str) -> None:
        """Set the description of the experiment's page and its kind, unless it has them."""
        known = self.client.get_experiment(self.experiment_id).tags
        for name, value in ((NOTE, note), (KIND, MODEL_TRAINING)):
            if value and name not in known:
                self.client.set_experiment_tag(self.experiment_id, name, value)

    def write(self, entry: Entry) -> None:
        """Write one entry; all entries before it must have been written.

        Raises:
            MlflowException, SQLAlchemyError, OSError: If the store is unavailable or refuses it.
            TrackingError: If it names a run that the store lacks, or a file outside the launch.
        """
        match entry:
            case {"do": "run", "run": key}:
                self._start(key, entry)
            case {"do": "metrics", "run": key, "prefix": prefix, "step": step, "values": values}:
                when = entry["time"]  # not now: an entry written twice must be the same metric
                so_far = entry.get("so_far", {}).items()  # first: comparisons begin with it
                batch = [Metric(name, value, when, 0) for name, value in so_far]
                batch += [Metric(prefix + n, value, when, step) for n, value in values.items()]
                self.client.log_batch(self.run_id(key), metrics=batch)
            case {"do": "tags", "run": key, "values": values}:
                tags = [RunTag(name, value) for name, value in values.items()]
                self.client.log_batch(self.run_id(key), tags=tags)
            case {"do": "files", "run": key, "path": path, "to": to}:
                self._copy_files(self.run_id(key), self.folder / path, to)
            case {"do": "view", "name": name, "state": state}:
                text = saved_view(name, state, entry["time"])
                tag = f"{SHARED_VIEW}{self.launch}"
                self.client.set_experiment_tag(self.experiment_id, tag, text)
            case {"do": "register", "run": key}:
                self._register(self.run_id(key))
            case {"do": "end", "run": key, "status": status}:
                self.client.set_terminated(self.run_id(key), status, entry["time"])

    def run_id(self, key: str) -> str:
        """Return the MLflow id of the run with this key.

        Raises:
            TrackingError: If the store has no such run.
        """
        if key not in self._runs:
            found = self._find(key)
            if found is None:
                raise TrackingError(f"the store has no run {key!r} of launch {self.launch}")
            self._runs[key] = found
        return self._runs[key]

    def _find(self, key: str) -> str | None:
        query = f"tags.launch = '{self.launch}' and tags.key = '{key}'"
        found = self.client.search_runs([self.experiment_id], query, max_results=1)
        return found[0].info.run_id if found else None

    def _start(self, key: str, entry: Mapping[str, Any]) -> None:
        """Create a run, unless the store has it, and log its parameters."""
        title = entry.get("title", entry["name"])  # journals of earlier versions have no title
        tags = {**entry["tags"], MLFLOW_RUN_NAME: title, "launch": self.launch, "key": key}
        if key != PARENT:
            tags[MLFLOW_PARENT_RUN_ID] = self.run_id(PARENT)
        found = self._find(key)
        if found is None:
            made = self.client.create_run(
                self.experiment_id, entry["time"], tags=tags, run_name=title
            )
            found = made.info.run_id
        self._runs[key] = found
        params = [Param(name, value) for name, value in entry["params"].items()]
        self.client.log_batch(found, params=params)
        if entry.get("data_set"):  # journals of earlier versions have none
            tag = InputTag(MLFLOW_DATASET_CONTEXT, "training")
            self.client.log_inputs(found, [DatasetInput(Dataset(**entry["data_set"]), [tag])])

    def _copy_files(self, run_id: str, path: Path, to: str) -> None:
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise TrackingError(
                f"{path}: is not in {self.folder}; a journal may name only files of its own launch"
            )
        if path.is_dir():
            self.client.log_artifacts(run_id, str(path), to or None)
        else:
            self.client.log_artifact(run_id, str(path), to or None)

    def _register(self, run_id: str) -> None:
        name = self.client.get_experiment(self.experiment_id).name
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        known = self.client.search_model_versions(f"name = '{name}'")
        versions = {model.run_id: model.version for model in known}
        if run_id not in versions:
            source = f"{self.client.get_run(run_id).info.artifact_uri}/{SERVED}"
            versions[run_id] = self.client.create_model_version(name, source, run_id).version
        self.client.set_registered_model_alias(name, "champion", versions[run_id])


def _create_store(uri: str) -> None:
    """Create a SQLite store that does not exist, so that a killed program leaves none half made.

    MLflow creates its tables one by one, and cannot use a file that has only some of them.
    """
    file = sqlite_file(uri)
    if file is None or file.exists():
        return
    beside = file.with_name(f"{file.name}.new")
    beside.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{beside}").search_experiments(max_results=1)
    beside.rename(file)


def _quiet_libraries() -> None:
    """Silence log lines of MLflow's libraries: this program reports each error itself."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # a line for each table
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a line for each retry


def is_away(error: Exception, uri: str) -> bool:
    """Return whether the store may answer later: from ``error``: it is away, slow or locked."""
    if isinstance(error, MlflowException) and uri.startswith("http"):
        return error.get_http_status_code() not in _REQUEST_ERRORS
    return "database is locked" in str(error)
