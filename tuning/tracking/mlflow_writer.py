"""The only writer to MLflow: it turns journal entries into runs, metrics, tags and artifacts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
)

from measures.addresses import choose_registry, sqlite_path
from tuning.system.sqlite_lock import lock_sqlite
from tuning.tracking.journal import Entry, Journal, write_delivered
from tuning.tracking.launch_log import PARENT
from tuning.tracking.mlflow_pages import (
    SHARED_VIEW,
    saved_view,
)
from tuning.tracking.mlflow_reader import read_runs
from tuning.tracking.run_record import TrackingError
from tuning.tracking.served_model import register_model
from tuning.tracking.store_check import (
    describe_experiment,
    find_experiment,
    make_folder,
    make_store,
    quiet_libraries,
)

PART = 500  # entries that are written together
_MOST_METRICS = 800  # in one request; MLflow takes 1,000 metrics, parameters and tags together
logger = logging.getLogger(__name__)


class AbsentRunError(TrackingError):
    """The store lacks a run, which was deleted there: its entries have to be written again.

    Args:
        key: Key of the run.
        launch: Identifier of its launch.
    """

    def __init__(self, key: str, launch: str) -> None:
        super().__init__(f"the store has no run {key!r} of launch {launch}")
        self.key = key


@dataclass(slots=True)
class _Batch:
    """What waits to be written to one run with a single request."""

    metrics: list[Metric] = field(default_factory=list)
    params: list[Param] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


class MlflowWriter:
    """Writes the entries of one launch's journal; an entry written twice changes nothing.

    Args:
        uri: MLflow tracking URI; a SQLite store is made if it does not exist.
        opened: First entry of the journal.
        folder: Folder of the launch, which holds its files.

    Attributes:
        requests: Number of entries and requests so far; it grows while the store answers.

    Raises:
        MlflowException, SQLAlchemyError, OSError: If the store cannot be opened or made.
        TrackingError: If the experiment is in MLflow's trash.
    """

    def __init__(self, uri: str, opened: Entry, folder: Path) -> None:
        self.folder = folder
        self.launch = str(opened["launch"])
        quiet_libraries()
        file = sqlite_path(uri)
        if file is not None:
            make_folder(file.parent)
        with lock_sqlite(uri):
            if file is not None:
                make_store(file)
            self.client = MlflowClient(uri, choose_registry(uri))
            self.experiment_id = find_experiment(self.client, opened, folder)
            describe_experiment(self.client, self.experiment_id, opened.get("note", ""))
        self.requests = 0
        self._waiting: dict[str, _Batch] = {}
        self._runs: dict[str, tuple[str, bool]] | None = None  # id, and whether it is deleted

    def write(self, entries: Iterable[Entry]) -> None:
        """Write entries in order; all entries before them must have been written.

        The metrics, tags and parameters of a run are written together, when it ends or after the
        last entry: a request costs as much as what is in it.

        Raises:
            MlflowException, SQLAlchemyError, OSError: If the store is unavailable or refuses one.
            AbsentRunError: If one names a run that the store lacks.
            TrackingError: If one names a file outside the launch.
        """
        try:
            for entry in entries:
                self._write(entry)
            for key in list(self._waiting):
                self._send(key)
        finally:  # after an error all are written again
            self._waiting.clear()

    def _write(self, entry: Entry) -> None:
        self.requests += 1
        match entry:
            case {"do": "run", "run": key}:
                self._start(key, entry)
            case {"do": "metrics", "run": key}:
                self._add_metrics(key, entry)
            case {"do": "tags", "run": key, "values": values}:
                self._waiting_for(key).tags.update(values)
            case {"do": "files", "run": key, "path": path, "to": to}:
                self._copy_files(self.run_id(key), self.folder / path, to)
            case {"do": "view", "name": name, "state": state}:
                text = saved_view(name, state, entry["time"])
                tag = f"{SHARED_VIEW}{self.launch}"
                self.client.set_experiment_tag(self.experiment_id, tag, text)
            case {"do": "register", "run": key}:
                register_model(self.client, self.experiment_id, self.run_id(key))
            case {"do": "end", "run": key, "status": status}:
                self._send(key)
                self.client.set_terminated(self.run_id(key), status, entry["time"])

    def _waiting_for(self, key: str) -> _Batch:
        return self._waiting.setdefault(key, _Batch())

    def _add_metrics(self, key: str, entry: Entry) -> None:
        when = entry["time"]  # not now: an entry written twice must be the same metric
        so_far = entry.get("so_far", {}).items()  # first: comparisons begin with it
        batch = [Metric(name, value, when, 0) for name, value in so_far]
        prefix, step = entry["prefix"], entry["step"]
        batch += [Metric(prefix + n, v, when, step) for n, v in entry["values"].items()]
        if len(self._waiting_for(key).metrics) + len(batch) > _MOST_METRICS:
            self._send(key)
        self._waiting_for(key).metrics.extend(batch)

    def _send(self, key: str) -> None:
        """Write what waits for a run."""
        if (batch := self._waiting.pop(key, None)) is not None:
            tags = [RunTag(*tag) for tag in batch.tags.items()]
            self.client.log_batch(self.run_id(key), batch.metrics, batch.params, tags)
            self.requests += 1

    def run_id(self, key: str) -> str:
        """Return the MLflow id of the run with this key.

        Raises:
            AbsentRunError: If the store has no such run, or has it in its trash.
        """
        found, deleted = self._find(key)
        if found is None or deleted:
            raise AbsentRunError(key, self.launch)
        return found

    def has_launch(self) -> bool:
        """Return whether the store has the parent run of this launch, and not in its trash."""
        found, deleted = self._find(PARENT)
        return found is not None and not deleted

    def forget_runs(self) -> None:
        """Look every run up again: one that was deleted since is an AbsentRunError then."""
        self._runs = None

    def _find(self, key: str) -> tuple[str | None, bool]:
        """Return the id of a run, None if the store has none, and whether it is in its trash.

        The first call looks all runs of the launch up at once.
        """
        if self._runs is None:
            query = f"tags.launch = '{self.launch}'"
            found = read_runs(self.client, self.experiment_id, query, ViewType.ALL)
            found.sort(
                key=lambda run: not run.deleted
            )  # of two with one key, an active one counts
            self._runs = {run.tags["key"]: (run.run_id, run.deleted) for run in found}
        return self._runs.get(key, (None, False))

    def _start(self, key: str, entry: Mapping[str, Any]) -> None:
        """Create a run, or restore it from the trash, unless it is there; log its parameters."""
        title = entry.get("title", entry["name"])  # journals of earlier versions have no title
        parent = {} if key == PARENT else {MLFLOW_PARENT_RUN_ID: self.run_id(PARENT)}
        own = {MLFLOW_RUN_NAME: title, "launch": self.launch, "key": key}
        run_id, deleted = self._find(key)
        if run_id is None:
            tags = {**entry["tags"], **own, **parent}
            made = self.client.create_run(self.experiment_id, entry["time"], tags, title)
            run_id = made.info.run_id
        elif deleted:
            self.client.restore_run(run_id)
        if self._runs is not None:
            self._runs[key] = (run_id, False)
        batch = self._waiting_for(key)
        batch.params += [Param(name, value) for name, value in entry["params"].items()]
        # also of a run that the store has: its parent may have been deleted, and be another now
        batch.tags.update(parent)
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


def write_next(store: MlflowWriter, journal: Journal, uri: str, count: int) -> int:
    """Write entries after the first ``count`` of them; return how many the store has then.

    0 if it lacks a run that it was told: writing all of them again restores it, and changes
    nothing else.
    """
    part = journal.entries[count : count + PART]
    try:
        store.write(part)
        count += len(part)
    except AbsentRunError as error:
        if not any(e["do"] == "run" and e["run"] == error.key for e in journal.entries[:count]):
            raise
        count = 0
    write_delivered(journal.folder, uri, count)
    return count
