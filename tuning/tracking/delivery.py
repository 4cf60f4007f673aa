"""Delivery of journals to MLflow, in a thread of its own: training never waits for the store."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from measures.passwords import first_line, hide_passwords
from tuning.tracking.journal import (
    JOURNAL,
    Journal,
    JournalError,
    count_delivered,
    write_delivered,
)
from tuning.tracking.mlflow_pages import LOCAL_SERVER, view_address
from tuning.tracking.mlflow_reader import STORE_ERRORS, TrackingError
from tuning.tracking.mlflow_writer import MlflowWriter, is_away

_LOCK = "delivery.lock"
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between two tries
PATIENCE = 20.0  # seconds that the end of a program waits for a store that does not answer


class Delivery(threading.Thread):
    """A thread that writes the journal's entries to MLflow, new ones too, until it is closed.

    Args:
        journal: Journal of this launch; its first entry names the experiment.
        uri: URI of the MLflow store.
        older: Folders of earlier launches of whose journals the store lacks entries.

    Attributes:
        store: Writer of the store; None until the store is open.
        problem: Error of the last try; None if it succeeded.
        delivered: Number of entries that the store has.
        opened: Event that is set once the store is open, or the first try to open it failed.
    """

    def __init__(self, journal: Journal, uri: str, older: Sequence[Path] = ()) -> None:
        super().__init__(daemon=True, name="delivery")
        self.journal, self.uri, self.older = journal, uri, older
        self.store: MlflowWriter | None = None
        self.problem: Exception | None = None
        self.delivered = count_delivered(journal)
        self.opened = threading.Event()
        self._closing = threading.Event()
        self._given_up = threading.Event()

    def run(self) -> None:
        """Deliver until closed and done; keep an error as ``problem`` and try again."""
        pause = _FIRST_PAUSE
        with FileLock(self.journal.folder / _LOCK):
            while not self._given_up.is_set():
                try:
                    if self._step():
                        return
                    pause, self.problem = _FIRST_PAUSE, None
                except STORE_ERRORS as error:
                    self.problem = error
                    self.opened.set()
                    self._given_up.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    def _step(self) -> bool:
        """Open the store, deliver an entry, or wait for one; return whether all is done."""
        if self.store is None:
            self.store = MlflowWriter(self.uri, self.journal.entries[0], self.journal.folder)
            self.opened.set()
            for folder in self.older:
                deliver(folder, self.uri)
        elif self.delivered < len(self.journal.entries):
            self.store.write(self.journal.entries[self.delivered])
            self.delivered += 1
            write_delivered(self.journal.folder, self.delivered)
        elif self._closing.is_set():
            return True
        else:
            with self.journal.grown:
                self.journal.grown.wait(0.5)
        return False

    def check(self, patience: float = PATIENCE) -> str | None:
        """Return a notice for the user if the store does not answer yet; None if it does.

        Args:
            patience: Seconds to wait for its answer.

        Raises:
            TrackingError: If the store is unusable: waiting for it would not help.
        """
        if not self.opened.wait(patience):
            return (
                f"the MLflow store has not answered for {patience:g} seconds; training does not "
                "wait for it"
            )
        problem = self.problem
        if problem is None:
            return None
        if self.store is None and not is_away(problem, self.uri):
            raise TrackingError(
                f"tracking: the MLflow store cannot be used: {first_line(problem)}"
            ) from problem
        return f"{self.reason}; training does not wait for it"

    def close(self, patience: float = PATIENCE) -> int:
        """End the delivery and return the number of entries that the store lacks, normally 0.

        Args:
            patience: Seconds to wait for a store that takes no entry.
        """
        self._closing.set()
        before, since = self.delivered, time.monotonic()
        while self.is_alive() and time.monotonic() - since < patience:
            self.join(0.1)
            if self.delivered > before:
                before, since = self.delivered, time.monotonic()
        self._given_up.set()
        self.join(1)
        return len(self.journal.entries) - self.delivered

    @property
    def page(self) -> str | None:
        """Return the address of the launch's view in MLflow; None if the store lacks entries."""
        if self.store is None or self.delivered < len(self.journal.entries):
            return None
        server = self.uri if self.uri.startswith("http") else LOCAL_SERVER
        return view_address(server, self.store.experiment_id, self.store.launch)

    def how_to_look(self, *, own_store: bool) -> list[str]:
        """Return the lines that tell the user where to compare the trials in a browser.

        Args:
            own_store: Whether the MLflow store is the project's own.
        """
        store = hide_passwords(self.uri)
        words = ["python", "-m", "tuning.tracking", "ui", "--tracking-uri", store]
        serve = "make ui" if own_store else shlex.join(words)
        if self.uri.startswith("http"):
            serve = store
        link = [] if self.page is None else [f"  {self.page}"]
        return [f"  {serve:<60}  compare the trials in a browser", *link]

    @property
    def reason(self) -> str:
        """Return why the store lacks entries, without passwords."""
        cause = f": {first_line(self.problem)}" if self.problem is not None else ""
        return f"the MLflow store does not answer{cause}"


def undelivered(output: Path, uri: str) -> list[Path]:
    """Return the folders of launches of whose journals this store lacks entries, by name.

    Journals that are damaged, or are delivered to another store, are left out.
    """
    found = []
    for path in sorted(output.glob(f"*/{JOURNAL}")):
        try:
            journal = Journal(path.parent)
        except JournalError:  # reported to the user who resumes that launch
            continue
        entries = journal.entries
        same = bool(entries) and entries[0]["uri"] == hide_passwords(uri)
        if same and len(entries) > count_delivered(journal):
            found.append(path.parent)
    return found


def deliver(folder: Path, uri: str) -> int:
    """Write the entries that the store lacks of a launch's journal; return their number.

    Nothing is written, and 0 returned, if another program is delivering that journal.

    Raises:
        JournalError: If the journal is damaged.
        MlflowException, SQLAlchemyError, OSError: If the store is unavailable or refuses an entry.
    """
    try:
        with FileLock(folder / _LOCK, timeout=0):
            journal = Journal(folder)
            entries, first = journal.entries, count_delivered(journal)
            if first >= len(entries):
                return 0
            store = MlflowWriter(uri, entries[0], folder)
            for number, entry in enumerate(entries[first:], first + 1):
                store.write(entry)
                write_delivered(folder, number)
            return len(entries) - first
    except Timeout:
        return 0
