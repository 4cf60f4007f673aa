"""Helpers for tests: the log of a small launch, its delivery to a store, a trial's saved files."""

from pathlib import Path

from tuning.tracking.journal import Journal
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.mlflow_writer import MlflowWriter

CHAMPIONS = {
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "freezing": "all",
}  # configuration of a champion


def open_log(folder: Path, uri: str, experiment: str, **tags: str) -> LaunchLog:
    """Return the log of a new launch, with its parent run."""
    log = LaunchLog(Journal(folder))
    log.open(experiment, folder / "artifacts", uri, {"seed": 0})
    log.start_parent("parent", {"trials": 2}, tags)
    return log


def deliver_all(log: LaunchLog, uri: str) -> MlflowWriter:
    """Return the writer of the store, after writing every entry to it."""
    entries = log.journal.entries
    store = MlflowWriter(uri, entries[0], log.journal.folder)
    for entry in entries:
        store.write(entry)
    return store


def outcome(folder: Path) -> Path:
    """Return a folder, within a launch's, with a file as a trial saves it."""
    (folder / "outcome/model").mkdir(parents=True)
    (folder / "outcome/model/classifier.json").write_text("{}")
    return folder / "outcome"
