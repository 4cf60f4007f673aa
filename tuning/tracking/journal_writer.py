"""Write the entries of a journal to MLflow, each once, by whichever program holds its lock."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from tuning.tracking.journal import DELIVERY_LOCK, Journal, count_delivered, write_delivered
from tuning.tracking.mlflow_writer import AbsentRunError, MlflowWriter

PART = 500  # entries that are written together


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


def deliver(folder: Path, uri: str) -> int:
    """Write the entries that the store lacks of a launch's journal; return their number.

    A store that lacks the launch is told everything. Nothing is written, and 0 returned, if
    another program is delivering that journal.

    Raises:
        JournalError: If the journal is damaged.
        MlflowException, SQLAlchemyError, OSError: If the store is unavailable or refuses an entry.
    """
    try:
        with FileLock(folder / DELIVERY_LOCK, timeout=0):
            journal = Journal(folder)
            if not journal.entries:
                return 0
            store = MlflowWriter(uri, journal.entries[0], folder)
            count = count_delivered(journal, uri) if store.has_launch() else 0
            written = 0
            while (before := count) < len(journal.entries):
                count = write_next(store, journal, uri, count)
                written += max(0, count - before)
            return written
    except Timeout:
        return 0
