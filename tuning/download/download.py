"""Downloads over HTTP that go on while bytes come and continue what an earlier try began."""

from __future__ import annotations

import hashlib
import http.client
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from measures.passwords import hide_passwords
from tuning.download.download_causes import (
    DownloadError,
    detail_of,
    host_of,
    sentence_of,
    silence_sentence,
)
from tuning.system.atomic_files import DiskError, space_error
from tuning.system.transfer import Transfer

_CHUNK = 1 << 16  # bytes
_LOCK_WAIT = 0.2  # seconds between looks at what another process brings
Report = Callable[[int, int | None], None]  # of the bytes that are here, and of those in all


def download_files(
    url: str, sha256: dict[str, str], folder: Path, seconds: float, console: Console | None = None
) -> None:
    """Download the files that ``folder`` lacks; each is complete and verified, or absent.

    Part of a file is kept beside its place and continued the next time. A process that finds
    another one at work in the folder waits for it.

    Args:
        url: Address of the folder that has the files.
        sha256: Checksum of each file, by name.
        folder: Folder for the files; made if absent.
        seconds: Longest wait without a byte, the first answer included.
        console: Console for the progress; None shows nothing.

    Raises:
        DownloadError: If the address cannot be asked, no byte comes for too long, the host reports
            an error, or a file has another checksum.
        DiskError: If the folder cannot be written or its disk is full.
    """
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{hide_passwords(url)}: must begin with http:// or https://")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(space_error(folder, None, error)) from error
    with lock_when_free(folder / ".lock", folder, seconds):
        for name, expected in sha256.items():
            path = folder / name
            if not (path.is_file() and sum_of(path) == expected):
                with Transfer(console, name) as transfer:
                    _download(f"{url}/{name}", path, expected, seconds, transfer.show)


@contextmanager
def lock_when_free(
    path: Path, watched: Path, seconds: float, beat: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold a lock; while another process holds it, wait as long as that one receives bytes.

    Args:
        path: File of the lock.
        watched: Folder that the other process writes to.
        seconds: Longest wait in which that folder does not grow.
        beat: Called each time that it has grown.

    Raises:
        DownloadError: If the other process holds the lock and receives nothing.
        DiskError: If the lock cannot be made.
    """
    lock, size, since = FileLock(path), -1, time.monotonic()
    while not lock.is_locked:
        try:
            lock.acquire(timeout=_LOCK_WAIT)
        except Timeout as error:
            grown = _size_of(watched)
            if grown != size:
                size, since = grown, time.monotonic()
                beat()
            elif time.monotonic() - since > seconds:
                raise DownloadError(
                    f"another process downloads it and received nothing for {seconds:g} seconds",
                    f"{path}: is locked",
                ) from error
        except OSError as error:
            raise DiskError(space_error(path, None, error)) from error
    try:
        yield
    finally:
        lock.release()


def _size_of(folder: Path) -> int:
    """Return the size of the files in a folder in bytes; files may vanish meanwhile."""
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def sum_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, path: Path, expected: str, seconds: float, report: Report) -> None:
    """Download one file into its place, after what is here of it already."""
    partial = path.with_name(f".{path.name}.part")
    continued = partial.exists()
    _fetch(url, partial, seconds, report)
    if continued and sum_of(partial) != expected:  # the begun part was damaged
        partial.unlink()
        _fetch(url, partial, seconds, report)
    found = sum_of(partial)
    if found != expected:
        partial.unlink()
        detail = f"{url}: sha256 must be {expected}, got {found}"
        raise DownloadError(f"{path.name} was altered: its checksum is not the known one", detail)
    with _disk_errors(partial, path):
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)


def _fetch(url: str, partial: Path, seconds: float, report: Report) -> None:
    """Append to ``partial`` what it lacks; ask again after a cut as long as each try brings more.

    Raises:
        DownloadError: In words, if the host does not deliver.
        DiskError: If the disk is full; the part is removed then.
    """
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            return _append(url, partial, seconds, report)
        except DiskError:
            raise
        except urllib.error.HTTPError as error:
            error.close()
            raise _failure(error, url, partial) from error
        except queue.Empty as error:
            kept = partial.stat().st_size if partial.exists() else 0
            text = silence_sentence(host_of(url), seconds, kept)
            raise DownloadError(text, f"{url}: no byte in {seconds:g} seconds") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not partial.exists() or partial.stat().st_size <= before:
                raise _failure(error, url, partial) from error


def _failure(error: Exception, url: str, partial: Path) -> DownloadError:
    size = partial.stat().st_size if partial.exists() else 0
    sentence = sentence_of(error, url, host_of(url))
    return DownloadError(sentence, f"{url}: after {size} bytes: {detail_of(error)}")


def _append(url: str, partial: Path, seconds: float, report: Report) -> None:
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    stream = _receive(request, seconds)
    try:
        response = next(stream)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # nothing is left to send; the checksum will tell
            error.close()
            return
        raise
    assert isinstance(response, http.client.HTTPResponse), "the response comes first"
    if response.status != 206:  # the host ignores ranges and sends everything again
        start = 0
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with _disk_errors(partial, partial, total):
        file = partial.open("ab")
        file.truncate(start)
    with file:
        report(start, total)
        for chunk in stream:
            assert isinstance(chunk, bytes), "bytes follow the response"
            with _disk_errors(partial, partial, total):
                file.write(chunk)
                file.flush()
            start += len(chunk)
            report(start, total)
    if total is not None and start < total:
        raise ConnectionError(f"cut off after {start} of {total} bytes")


@contextmanager
def _disk_errors(partial: Path, path: Path, size: int | None = None) -> Iterator[None]:
    """Turn an error of the disk into a DiskError that names ``path``; remove the part then."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise DiskError(space_error(path, size, error)) from error


def _receive(
    request: urllib.request.Request, seconds: float
) -> Iterator[http.client.HTTPResponse | bytes]:
    """Yield the response and then its bytes as they come.

    A thread of its own receives them, because the time limit of a socket does not reach the
    look-up of a name; that limit is a longer one and ends the thread.

    Raises:
        queue.Empty: If nothing comes for ``seconds``.
        OSError, http.client.HTTPException, ValueError: What the thread met with.
    """
    items: queue.Queue[http.client.HTTPResponse | bytes | Exception | None] = queue.Queue()
    left = threading.Event()

    def receive() -> None:
        try:
            with urllib.request.urlopen(request, timeout=2 * seconds) as response:
                items.put(response)
                while not left.is_set() and (chunk := response.read1(_CHUNK)):
                    items.put(chunk)
            items.put(None)
        except Exception as error:  # raised again where the items are read
            items.put(error)

    threading.Thread(target=receive, daemon=True).start()
    try:
        while (item := items.get(timeout=seconds)) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        left.set()
