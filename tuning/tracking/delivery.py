"""Delivery of journals to MLflow, in a thread of its own: training never waits for the store."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from measures.addresses import AddressError
from measures.passwords import first_line
from tuning.system.imports import without_collection
from tuning.tracking.journal import Journal, count_delivered, sort_out
from tuning.tracking.mlflow_pages import LOCAL_SERVER, view_address
from tuning.tracking.run_record import TrackingError
from tuning.tracking.store_check import absent_file, is_away

if TYPE_CHECKING:
    from tuning.tracking.mlflow_writer import MlflowWriter

logger = logging.getLogger(__name__)
_LOCK = "delivery.lock"  # file of the program that brings the journal to MLflow
_HEAD_START = 30  # seconds for trials to begin in, before a new store keeps this process busy
_GATHER = 10.0  # seconds between two parts, for entries of the same runs to gather
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between two tries
PATIENCE = 20.0  # seconds that the end of a program waits for a store that does not answer


class Delivery(threading.Thread):
    """A thread that writes the journal's entries to MLflow, new ones too, until it is closed.

    Args:
        journal: Journal of this launch; its first entry names the experiment.
        uri: URI of the MLflow store.
        earlier: Journals of other launches that were begun for this store. Entries that it was
            never told are delivered first.

    Attributes:
        store: Writer of the store; None until the store is open.
        problem: Error of the last try; None if it succeeded.
        delivered: Number of entries that the store has.
        opened: Event that is set once the store is open, or the first try to open it failed.
        lacking: Names of earlier launches that the store was told and has lost.
        refused: A sentence for each earlier launch that could not be delivered.
        making: File of a SQLite store that is to be made, which takes seconds; else None.
    """

    def __init__(self, journal: Journal, uri: str, earlier: Sequence[Journal] = ()) -> None:
        super().__init__(daemon=True, name="delivery")
        self.journal, self.uri, self.earlier = journal, uri, earlier
        self.store: MlflowWriter | None = None
        self.problem: Exception | None = None
        self.delivered = count_delivered(journal, uri)
        self.opened = threading.Event()
        self.refused: list[str] = []
        self.making = absent_file(uri)
        self.lacking = sort_out(earlier, uri, {})[1] if self.making else []
        self._imported, self._closing = threading.Event(), threading.Event()
        self._given_up, self._broken = threading.Event(), False

    def run(self) -> None:
        """Deliver until closed and done; keep an error as ``problem`` and try again."""
        with FileLock(self.journal.folder / _LOCK):
            if self.making:
                self._let_begin()
            try:
                with without_collection():  # here, since training need not wait for this import
                    from tuning.tracking.mlflow_reader import STORE_ERRORS
            except Exception as error:
                self._broken = True
                self._fail(error)
                return
            finally:
                self._imported.set()
            pause = _FIRST_PAUSE
            while not self._given_up.is_set():
                try:
                    if self._step():
                        return
                    pause, self.problem = _FIRST_PAUSE, None
                except STORE_ERRORS as error:
                    if self.store is not None:
                        self.store.forget_runs()
                    self._fail(error)
                    self._given_up.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    def _let_begin(self) -> None:
        """Wait until a trial has told its first metrics; no longer than the head start."""
        for _ in range(10 * _HEAD_START):
            if self._closing.wait(0.1) or any(e["do"] == "metrics" for e in self.journal.entries):
                return

    def _fail(self, error: Exception) -> None:
        """Keep an error; tell the user at once where nobody waits for the store to be made."""
        self.problem = error
        if self.making and not self.opened.is_set() and not self._closing.is_set():
            logger.warning("Notice: %s; training does not wait for it", self.reason)
        self.opened.set()

    def _step(self) -> bool:
        """Open the store, deliver entries, or wait for one; return whether all is done."""
        from tuning.tracking.mlflow_writer import PART, write_next

        if self.store is None:
            self._open()
        elif self.delivered < len(self.journal.entries):
            self.delivered = write_next(self.store, self.journal, self.uri, self.delivered)
            if len(self.journal.entries) - self.delivered < PART:
                self._closing.wait(_GATHER)
        elif self._closing.is_set():
            return True
        else:
            with self.journal.grown:
                self.journal.grown.wait(0.5)
        return False

    def _open(self) -> None:
        """Open the store, see what it lacks, and deliver what earlier launches left."""
        from tuning.tracking.mlflow_reader import STORE_ERRORS, find_launches
        from tuning.tracking.mlflow_writer import MlflowWriter

        store = MlflowWriter(self.uri, self.journal.entries[0], self.journal.folder)
        if self.delivered and not store.has_launch():
            self.delivered = 0
        known = find_launches(self.uri) if self.earlier else {}
        waiting, lacking = sort_out(self.earlier, self.uri, known)
        if not self.making:  # else it was known from the start
            self.lacking = lacking
        self.store = store
        self.opened.set()
        for folder in waiting:
            if self._given_up.is_set():
                return
            try:
                deliver(folder, self.uri)
            except STORE_ERRORS as error:
                self.refused.append(f"{folder.name} is not delivered: {first_line(error)}")

    def check(self, patience: float = PATIENCE) -> str | None:
        """Return a notice for the user if the store does not answer yet; None if it does.

        A SQLite file that is being made is not waited for either, and needs no notice.

        Args:
            patience: Seconds to wait for its answer.

        Raises:
            TrackingError: If the store is unusable: waiting for it would not help.
        """
        while patience and self.is_alive() and not self._imported.wait(0.1):
            pass  # how long the import takes says nothing of the store
        if not self.opened.wait(patience):
            if self.making:
                return None
            return (
                f"the MLflow store has not answered for {patience:g} seconds; training does not "
                "wait for it"
            )
        problem = self.problem
        if problem is None:
            return None
        if self.store is None and (self._broken or not is_away(problem, self.uri)):
            told = isinstance(problem, AddressError | TrackingError)  # with the way out
            way_out = "" if told else "; --tracking-uri names another"
            raise TrackingError(
                f"tracking: the MLflow store cannot be used: {first_line(problem)}{way_out}"
            ) from problem
        return f"{self.reason}; training does not wait for it"

    def lost(self, command: str) -> str | None:
        """Return, once, which launches the store has lost, and the command that tells it again."""
        names, self.lacking = self.lacking, []
        if not names:
            return None
        listed = ", ".join(names)
        return f"the MLflow store has lost earlier launches ({listed}): {command} tells it again"

    def close(self, patience: float = PATIENCE) -> int:
        """End the delivery and return the number of entries that the store lacks, normally 0.

        Args:
            patience: Seconds to wait for a store that takes no entry.
        """
        self._closing.set()
        while patience and self.is_alive() and not self._imported.wait(0.1):
            pass
        before, since = self._progress, time.monotonic()
        while self.is_alive() and time.monotonic() - since < patience:
            self.join(0.1)
            if self._progress != before:
                before, since = self._progress, time.monotonic()
        self._given_up.set()
        self.join(1)
        return len(self.journal.entries) - self.delivered

    @property
    def _progress(self) -> tuple[int, int]:
        """Return two numbers of which one changes whenever the store has answered."""
        return self.delivered, self.store.requests if self.store is not None else 0

    @property
    def page(self) -> str | None:
        """Return the address of the launch's view in MLflow; None if the store lacks entries."""
        if self.store is None or self.delivered < len(self.journal.entries):
            return None
        server = self.uri if self.uri.startswith("http") else LOCAL_SERVER
        return view_address(server, self.store.experiment_id, self.store.launch)

    @property
    def reason(self) -> str:
        """Return why the store lacks entries, without passwords."""
        cause = f": {first_line(self.problem)}" if self.problem is not None else ""
        return f"the MLflow store does not answer{cause}"


def deliver(folder: Path, uri: str) -> int:
    """Write the entries that the store lacks of a launch's journal; return their number.

    A store that lacks the launch is told everything. Nothing is written, and 0 returned, if
    another program is delivering that journal.

    Raises:
        JournalError: If the journal is damaged.
        MlflowException, SQLAlchemyError, OSError: If the store is unavailable or refuses an entry.
    """
    from tuning.tracking.mlflow_writer import MlflowWriter, write_next

    try:
        with FileLock(folder / _LOCK, timeout=0):
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
