"""What a launch has to say to MLflow, in a file of its own: nothing waits for the store.

A journal is appended to and never changed. Each entry stands in it twice, each copy a line with a
checksum: a line that was cut off when the program died, or one damaged copy, loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuning.system.atomic_files import atomic_write_bytes, space_error
from tuning.system.signals import defer_interrupts

JOURNAL, DELIVERED = "journal.jsonl", "delivered.json"
Entry = dict[str, Any]
_COPIES = 2
_DIGITS = 16  # of the checksum


class JournalError(OSError):
    """A journal that cannot be read or written; the message names file, line and way out."""


class Journal:
    """The entries of one launch, in memory and on disk; safe to append to while others read.

    Args:
        folder: Of the launch; made if absent.

    Raises:
        JournalError: If the file there is damaged beyond its copies, or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOURNAL
        self.entries = list(read_entries(self.path)) if self.path.exists() else []
        self.grown = threading.Condition()
        self._problem: JournalError | None = None
        self._turn = threading.Lock()

    def raise_problem(self) -> None:
        """Raise again what stopped the journal, if anything did; it takes no entry since.

        Raises:
            JournalError: If an entry could not be written.
        """
        if self._problem is not None:
            raise self._problem

    def append(self, entry: Entry) -> None:
        """Write an entry with its number and time, and have it on disk before returning.

        Raises:
            JournalError: If the disk is full or cannot be written.
        """
        with defer_interrupts(), self._turn:
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
    # one that was cut off, or lost its line's end, does not reach into this one
    return b"\n" + _checksum(text) + b" " + text + b"\n"


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_DIGITS].encode()


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a journal in order, each once.

    Raises:
        JournalError: If the file cannot be read, or no copy of an entry before the last is whole.
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
                "from a backup, or move its folder away and start anew"
            )
        if entry["n"] == expected:
            expected += 1
            yield entry


def read_delivered(folder: Path) -> int:
    """Return how many entries of the journal in ``folder`` MLflow has; 0 if that is not known.

    Whatever is delivered again changes nothing, so a damaged count costs time and no more.
    """
    try:
        found = json.loads((folder / DELIVERED).read_bytes())["delivered"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return found if isinstance(found, int) and found >= 0 else 0


def write_delivered(folder: Path, count: int) -> None:
    """Note how many entries MLflow has."""
    atomic_write_bytes(folder / DELIVERED, json.dumps({"delivered": count}).encode())
