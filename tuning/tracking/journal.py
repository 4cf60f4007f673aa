"""The journal of a launch: an append-only file with everything that MLflow is to be sent.

Training appends to it and never waits for the MLflow store. Entries are never changed. Each is
written twice, each copy as a line with a checksum: a line that was cut off when the program died,
or one damaged copy, loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from measures.addresses import absolute_store
from measures.passwords import hide_passwords
from tuning.system.atomic_files import atomic_write_bytes, space_error
from tuning.system.signals import defer_interrupts

JOURNAL, DELIVERED = "journal.jsonl", "delivered.json"
Entry = dict[str, Any]
_COPIES = 2
_DIGITS = 16  # hexadecimal, of the checksum


class JournalError(OSError):
    """A journal that cannot be read or written; the message has the file, the line, the remedy."""


class Journal:
    """The entries of one launch, in memory and on disk; other threads may read while one appends.

    Args:
        folder: Folder of the launch; made by the first entry if it does not exist.

    Attributes:
        entries: All entries so far, oldest first.
        grown: Condition that is notified after each new entry.

    Raises:
        JournalError: If the file cannot be read, or both copies of an entry are damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOURNAL
        self.entries = list(read_entries(self.path)) if self.path.exists() else []
        self.grown = threading.Condition()
        self._problem: JournalError | None = None
        self._lock = threading.Lock()

    def raise_problem(self) -> None:
        """Raise the error of a failed write again; a journal takes no entries after one.

        Raises:
            JournalError: If an entry could not be written.
        """
        if self._problem is not None:
            raise self._problem

    def append(self, entry: Entry) -> None:
        """Add a number and the time to an entry, and write it to disk before returning.

        Raises:
            JournalError: If the disk is full or cannot be written.
        """
        with defer_interrupts(), self._lock:
            self.raise_problem()
            numbered = {"n": len(self.entries), "time": time.time_ns() // 1_000_000, **entry}
            self._write(_COPIES * _line(numbered))
            with self.grown:
                self.entries.append(numbered)
                self.grown.notify_all()

    def _write(self, lines: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._problem = JournalError(space_error(self.path, len(lines), error))
            raise self._problem from error


def _line(entry: Entry) -> bytes:
    text = json.dumps(entry, separators=(",", ":"), default=str).encode()
    # the line before may have been cut off: the first line break keeps it apart from this one
    return b"\n" + _checksum(text) + b" " + text + b"\n"


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_DIGITS].encode()


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a journal in order, each once.

    Raises:
        JournalError: If the file cannot be read, or both copies of an entry are damaged and it
            is not the last one.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error}") from error
    expected = 0
    for number, line in enumerate(lines, 1):
        checksum, _, text = line.partition(b" ")
        if not text or _checksum(text) != checksum:
            continue  # a copy that is damaged, or was cut off
        entry = json.loads(text)
        if entry["n"] > expected:
            raise JournalError(
                f"{path}:{number}: entry {expected} is damaged in both copies; restore the file "
                "from a backup, or move its folder away and start a new launch"
            )
        if entry["n"] == expected:
            expected += 1
            yield entry


def begun_for(journal: Journal, uri: str) -> bool:
    """Return whether a launch was begun with this MLflow store, or was told to it later.

    Earlier versions recorded a relative path of a SQLite file as the user wrote it.
    """
    store = hide_passwords(uri)
    known = {absolute_store(entry.get("uri", "")) for entry in journal.entries[:1]}
    return store in known or store in _counts(journal.folder)


def earlier_journals(output: Path, uri: str) -> list[Journal]:
    """Return the journals of launches that were begun for this store, by name.

    Journals that are damaged are left out: they are reported to the user who resumes them.
    """
    found = []
    for path in sorted(output.glob(f"*/{JOURNAL}")):
        try:
            journal = Journal(path.parent)
        except JournalError:
            continue
        if journal.entries and begun_for(journal, uri):
            found.append(journal)
    return found


def sort_out(
    journals: Sequence[Journal], uri: str, known: Mapping[str, bool]
) -> tuple[list[Path], list[str]]:
    """Return the folders whose journals wait for a store, and the names of those it has lost.

    A launch in MLflow's trash was deleted on purpose, and is among neither.

    Args:
        journals: Journals that were begun for the store.
        uri: URI of the store.
        known: Launches that the store has, from ``find_launches``.
    """
    waiting, lost = [], []
    for journal in journals:
        count = count_delivered(journal, uri)
        launch = str(journal.entries[0]["launch"])
        if count and launch not in known:
            lost.append(journal.folder.name)
        elif count < len(journal.entries) and known.get(launch, True):
            waiting.append(journal.folder)
    return waiting, lost


def count_delivered(journal: Journal, uri: str) -> int:
    """Return the number of a journal's entries that this MLflow store has; 0 if it is not known.

    An entry that is delivered again changes nothing, so a damaged count only costs time. A count
    beyond the entries is of a longer journal, which an older one from a backup replaced.
    """
    counts = _counts(journal.folder)
    earlier = counts.get("", 0) if begun_for(journal, uri) else 0
    count = counts.get(hide_passwords(uri), earlier)
    return count if count <= len(journal.entries) else 0


def _counts(folder: Path) -> dict[str, int]:
    """Return the numbers of delivered entries by the store's URI without its password.

    That of earlier versions, which named no store, is under the empty text.
    """
    try:
        found = json.loads((folder / DELIVERED).read_bytes())
        counts = {"": found.get("delivered"), **found.get("stores", {})}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return {uri: n for uri, n in counts.items() if isinstance(n, int) and n >= 0}


def write_delivered(folder: Path, uri: str, count: int) -> None:
    """Write the number of entries that an MLflow store has into the launch's ``folder``.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    counts = {**_counts(folder), hide_passwords(uri): count}
    earlier = {"delivered": counts.pop("")} if "" in counts else {}
    text = json.dumps({**earlier, "stores": counts})
    atomic_write_bytes(folder / DELIVERED, text.encode())
