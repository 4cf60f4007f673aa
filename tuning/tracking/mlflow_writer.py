"""The only writer to MLflow: it turns journal entries into runs, metrics, tags and artifacts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    RunInfo,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
)

from measures.addresses import (
    AddressError,
    check_tables,
    choose_registry,
    find_moved,
    in_trash,
    sqlite_path,
    sqlite_url,
)
from tuning.system.sqlite_lock import lock_sqlite
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
logger = logging.getLogger(__name__)


class AbsentRunError(TrackingError):
    """The store lacks a run, which was deleted there: its entries have to be written again."""


class MlflowWriter:
    """Writes the entries of one launch's journal; an entry written twice changes nothing.

    Args:
        uri: MLflow tracking URI; a SQLite store is made if it does not exist.
        opened: First entry of the journal.
        folder: Folder of the launch, which holds its files.

    Raises:
        MlflowException, SQLAlchemyError, OSError: If the store cannot be opened or made.
        TrackingError: If the experiment is in MLflow's trash.
    """

    def __init__(self, uri: str, opened: Entry, folder: Path) -> None:
        self.folder = folder
        self.launch = str(opened["launch"])
        _quiet_libraries()
        file = sqlite_path(uri)
        if file is not None:
            _make_folder(file.parent)
        with lock_sqlite(uri):
            if file is not None:
                _create_store(file)
            self.client = MlflowClient(uri, choose_registry(uri))
            name, artifacts = opened["experiment"], Path(opened["artifacts"])
            self.experiment_id = self._find_or_create(uri, name, artifacts)
            self._describe(opened.get("note", ""))
        self._runs: dict[str, str] = {}

    def _find_or_create(self, uri: str, name: str, artifacts: Path) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                raise TrackingError(in_trash(name, found.experiment_id, uri))
            recorded = str(found.artifact_location)
            if find_moved(recorded, uri) is not None:  # MLflow has no way to change it
                told = "experiment '%s' was moved: its new files go to the old place, %s; another "
                logger.warning(told + "name begins one here: --set name=NAME", name, recorded)
            return found.experiment_id
        if not artifacts.parent.is_dir():  # the results were moved since the launch began
            artifacts = self.folder.parent / artifacts.name
        local = sqlite_path(uri) is not None
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
            AbsentRunError: If it names a run that the store lacks.
            TrackingError: If it names a file outside the launch.
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
            AbsentRunError: If the store has no such run.
        """
        if key not in self._runs:
            found = self._find(key)
            if found is None:
                raise AbsentRunError(f"the store has no run {key!r} of launch {self.launch}")
            self._runs[key] = found.run_id
        return self._runs[key]

    def has_launch(self) -> bool:
        """Return whether the store has the parent run of this launch, and not in its trash."""
        return self._find(PARENT) is not None

    def forget_runs(self) -> None:
        """Look every run up again: one that was deleted since is an AbsentRunError then."""
        self._runs.clear()

    def _find(self, key: str, view: int = ViewType.ACTIVE_ONLY) -> RunInfo | None:
        query = f"tags.launch = '{self.launch}' and tags.key = '{key}'"
        found = self.client.search_runs([self.experiment_id], query, view, max_results=2)
        # active before deleted, if both are in view
        return min((run.info for run in found), key=lambda run: run.lifecycle_stage, default=None)

    def _start(self, key: str, entry: Mapping[str, Any]) -> None:
        """Create a run, or restore it from the trash, unless it is there; log its parameters."""
        title = entry.get("title", entry["name"])  # journals of earlier versions have no title
        parent = {} if key == PARENT else {MLFLOW_PARENT_RUN_ID: self.run_id(PARENT)}
        own = {MLFLOW_RUN_NAME: title, "launch": self.launch, "key": key}
        found = self._find(key, ViewType.ALL)
        if found is None:
            when = entry["time"]
            tags = {**entry["tags"], **own, **parent}
            found = self.client.create_run(self.experiment_id, when, tags, title).info
        elif found.lifecycle_stage == "deleted":
            self.client.restore_run(found.run_id)
        self._runs[key] = run_id = found.run_id
        params = [Param(name, value) for name, value in entry["params"].items()]
        # also of a run that the store has: its parent may have been deleted, and be another now
        self.client.log_batch(run_id, params=params, tags=[RunTag(*tag) for tag in parent.items()])
        if entry.get("data_set"):  # journals of earlier versions have none
            tag = InputTag(MLFLOW_DATASET_CONTEXT, "training")
            self.client.log_inputs(run_id, [DatasetInput(Dataset(**entry["data_set"]), [tag])])

    def _copy_files(self, run_id: str, path: Path, to: str) -> None:
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise TrackingError(
                f"{path}: is not in {self.folder}; a journal may name only files of its own launch"
            )
        if not path.exists():  # removed since, as the checkpoint of a trial that ran again
            logger.warning("%s is gone: MLflow gets the launch without it", path)
        elif path.is_dir():
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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise AddressError(
            f"{folder}: cannot be made for the log: {reason}; --tracking-uri names another"
        ) from error


def _create_store(file: Path) -> None:
    """Create a SQLite store that does not exist, so that a killed program leaves none half made.

    MLflow creates its tables one by one, and cannot use a file that has only some of them.

    Raises:
        AddressError: If the file exists and is the database of another program.
    """
    if file.exists():
        check_tables(file, empty_passes=True)
        return
    beside = file.with_name(f"{file.name}.new")
    beside.unlink(missing_ok=True)
    MlflowClient(tracking_uri=sqlite_url(beside)).search_experiments(max_results=1)
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
