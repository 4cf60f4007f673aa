"""Downloads with a time limit: a data set's files over HTTP, and encoders from the hub."""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from filelock import FileLock, Timeout

from tuning.system.atomic_files import atomic_write_bytes

_NEEDED_FILES = ["config.json", "tokenizer.json", "model.safetensors"]
_ENCODER_FILES = [*_NEEDED_FILES, "tokenizer_config.json"]
_BYTES_PER_WAIT = 64 * 1024  # a download that brings fewer bytes in one wait has stalled
# A program for a process of its own, which downloads an encoder and prints its folder.
_DOWNLOAD_PROGRAM = """
import sys
from huggingface_hub import snapshot_download
from huggingface_hub.utils import disable_progress_bars
disable_progress_bars()
try:
    print(snapshot_download(sys.argv[1], allow_patterns=sys.argv[2:], max_workers=1))
except Exception as error:
    lines = [line for line in str(error).split("\\n") if line.strip()]
    sys.exit(f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}")
"""


class DownloadError(OSError):
    """A download that failed; the message has the address and the reason."""


def download_files(url: str, sha256: dict[str, str], folder: Path, seconds: float) -> None:
    """Download the files that ``folder`` lacks; each is complete and verified, or absent.

    A process that finds another one at work in the folder waits for it.

    Args:
        url: Address of the folder that has the files.
        sha256: Checksum of each file, by name.
        folder: Folder for the files; made if absent.
        seconds: Time limit for all files together, waiting included.

    Raises:
        DownloadError: If a file cannot be downloaded in time, or has another checksum.
        OSError: If the folder cannot be written; a DiskError if its disk is full.
    """
    deadline = time.monotonic() + seconds
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=seconds):
            for name, expected in sha256.items():
                path = folder / name
                if not (path.is_file() and _sum(path.read_bytes()) == expected):
                    _download(f"{url}/{name}", path, expected, deadline)
    except Timeout as error:
        raise DownloadError(f"{folder}: another process is still downloading into it") from error


def _download(url: str, path: Path, expected: str, deadline: float) -> None:
    content = _fetch(url, deadline)
    if _sum(content) != expected:
        raise DownloadError(f"{url}: sha256 must be {expected}, got {_sum(content)}")
    atomic_write_bytes(path, content)


def _fetch(url: str, deadline: float) -> bytes:
    """Return the content at ``url``; raise a DownloadError at the deadline, however slow it is."""
    content = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=_left(url, deadline)) as response:
            length = int(response.headers.get("Content-Length", -1))
            while chunk := response.read1(1 << 16):
                content += chunk
                _left(url, deadline)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, DownloadError):
            raise
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise DownloadError(f"{url}: {reason}") from error
    if length not in (-1, len(content)):
        raise DownloadError(f"{url}: cut off after {len(content)} of {length} bytes")
    return bytes(content)


def _left(url: str, deadline: float) -> float:
    """Return the seconds until the deadline; raise a DownloadError after it."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise DownloadError(f"{url}: stopped at the time limit; the connection is too slow")
    return left


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def find_cached_encoder(name: str) -> Path | None:
    """Return the folder of a hub encoder if the cache has all of its files, else None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        # the same patterns as in the download: without them, other files count as missing
        folder = Path(
            snapshot_download(name, allow_patterns=_ENCODER_FILES, local_files_only=True)
        )
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, ValueError):
        return None
    return folder if all((folder / file).is_file() for file in _NEEDED_FILES) else None


def download_encoder(name: str, seconds: float) -> Path:
    """Download an encoder from the hub into the cache of Hugging Face; return its folder.

    The download runs in a process of its own, which is killed if it stalls.

    Args:
        name: Name of the encoder on the hub.
        seconds: Longest wait for the next 64 KiB.

    Raises:
        DownloadError: If the download stalls, or the hub or the network reports an error.
    """
    command = [sys.executable, "-c", _DOWNLOAD_PROGRAM, name, *_ENCODER_FILES]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        try:
            stalled = _wait(process, _cache_of(name), seconds)
        finally:
            process.kill()
            process.wait()
        if stalled:
            raise DownloadError(f"{name}: the hub sent almost nothing for {seconds:g} seconds")
        output.seek(0)
        errors.seek(0)
        lines = [line.strip() for line in errors.read().split("\n") if line.strip()]
        if process.returncode:
            raise DownloadError(f"{name}: {lines[-1] if lines else 'the download ended'}")
        return Path(output.read().strip())


def _cache_of(name: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")


def _wait(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> bool:
    """Wait until the process ends or ``folder`` stops growing; return whether it stalled."""
    size, since = _size(folder), time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        if _size(folder) - size >= _BYTES_PER_WAIT:
            size, since = _size(folder), time.monotonic()
        if time.monotonic() - since > seconds:
            return True
    return False


def _size(folder: Path) -> int:
    """Return the size of all files in ``folder`` in bytes; files may vanish meanwhile."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total
