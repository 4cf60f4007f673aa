"""Downloads that end: files over HTTP by a deadline, encoders from the hub while bytes come."""

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

ENCODER_FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
_BYTES_PER_WAIT = 64 * 1024  # fewer in one wait is a stall, however it drips


class DownloadError(OSError):
    """Something that could not be had; the message says from where and why."""


def download_files(url: str, sha256: dict[str, str], folder: Path, seconds: float) -> None:
    """Bring the named files from ``url`` into ``folder``, each whole and verified or not at all.

    Another process that does the same at the same time is waited for.

    Args:
        url: Address of the folder that holds the files.
        sha256: The sum that each file must have, by name.
        folder: Where they go; made if absent.
        seconds: For all of it, waiting included.

    Raises:
        DownloadError: With the address and the reason.
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
        raise DownloadError(f"{folder}: another process is still downloading") from error


def _download(url: str, path: Path, expected: str, deadline: float) -> None:
    content = _fetch(url, deadline)
    if _sum(content) != expected:
        raise DownloadError(f"{url}: sha256 must be {expected}, got {_sum(content)}")
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as beside:
        beside.write(content)
        beside.flush()
        os.fsync(beside.fileno())
    Path(beside.name).replace(path)


def _fetch(url: str, deadline: float) -> bytes:
    """Return what ``url`` answers; every wait in between is cut at the deadline."""
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
    left = deadline - time.monotonic()
    if left <= 0:
        raise DownloadError(f"{url}: too slow, given up")
    return left


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def download_encoder(name: str, seconds: float) -> Path:
    """Return the folder of the encoder ``name`` from the hub, which is the cache's.

    The download runs in a process of its own, so that it can be ended whatever it waits for:
    after ``seconds`` in which fewer than 64 KiB came.

    Raises:
        DownloadError: With the reason that the hub or the network gave.
    """
    command = [sys.executable, "-c", _SNAPSHOT, name, *ENCODER_FILES]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as reasons:
        process = subprocess.Popen(command, stdout=output, stderr=reasons)
        try:
            stalled = _wait(process, _cache_of(name), seconds)
        finally:
            process.kill()
            process.wait()
        if stalled:
            raise DownloadError(f"{name}: the hub sent nothing for {seconds:g} seconds")
        output.seek(0)
        reasons.seek(0)
        lines = [line.strip() for line in reasons.read().split("\n") if line.strip()]
        if process.returncode:
            raise DownloadError(f"{name}: {lines[-1] if lines else 'the download ended'}")
        return Path(output.read().strip())


def find_cached_encoder(name: str) -> Path | None:
    """Return the folder of a hub encoder that was downloaded before and is whole, else None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        # with the same patterns, or the files that nobody asked for count as missing
        folder = Path(snapshot_download(name, allow_patterns=ENCODER_FILES, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, ValueError):
        return None
    complete = all(
        (folder / needed).is_file() for needed in ENCODER_FILES if "_config" not in needed
    )
    return folder if complete else None


def _cache_of(name: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")


def _wait(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> bool:
    """Wait for the process; return whether it stalled instead of ending."""
    size, since = _size(folder), time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        if _size(folder) - size >= _BYTES_PER_WAIT:
            size, since = _size(folder), time.monotonic()
        if time.monotonic() - since > seconds:
            return True
    return False


def _size(folder: Path) -> int:
    """Return the bytes below ``folder``, whose files may vanish while they are counted."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total


_SNAPSHOT = """
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
