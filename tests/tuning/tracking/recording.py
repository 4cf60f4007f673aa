"""Helpers for tests: the log of a small launch, its delivery to a store, a trial's saved files."""

from pathlib import Path

from tests.empty_store import put_store
from tuning.tracking.journal import Journal
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.mlflow_reader import read_trials
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
    store.write(entries)
    return store


def outcome(folder: Path) -> Path:
    """Return a folder, within a launch's, with a file as a trial saves it."""
    (folder / "outcome/model").mkdir(parents=True)
    (folder / "outcome/model/classifier.json").write_text("{}")
    return folder / "outcome"


def uri_in(folder: Path) -> str:
    """Return the URI of the store in a folder, made there unless it is."""
    return put_store(folder / "log.db")


def run_trials(log: LaunchLog, *names: str) -> None:
    """Record short trials of these names, each with one epoch."""
    for name in names:
        log.start_trial(name, name, {"seed": 0})
        log.log_epoch(name, 1, {"val_f1": 0.5})
        log.end_trial(name)


def names_in(uri: str) -> list[str]:
    """Return the names of the finished trials of the experiment x in a store."""
    return sorted(run.name for run in read_trials(uri, "x", {}))
