"""Encoders from the Hugging Face hub: looked up in the cache, or downloaded into it."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from tuning.download.download_causes import DownloadError, silence_sentence, status_sentence
from tuning.download.hub_files import is_whole
from tuning.system.transfer import Transfer

_HUB = "the Hugging Face hub"
_IMPORT_SECONDS = 60.0  # until the process has imported the library, on a machine that is busy
_END_SECONDS = 5.0  # for the process to end after its last report


def find_cached_encoder(name: str) -> Path | None:
    """Return the folder of a hub encoder if the cache has all of its files, else None."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for config in ("config.json", "0_Transformer/config.json"):
        try:
            found = try_to_load_from_cache(name, config)
        except HFValidationError:
            return None
        if isinstance(found, str):
            folder = Path(found).parents[config.count("/")]
            return folder if is_whole(folder) else None
    return None


def download_encoder(name: str, seconds: float, console: Console | None = None) -> Path:
    """Download an encoder from the hub into the cache of Hugging Face; return its folder.

    The download runs in a process of its own, which is killed if no byte comes; the part of the
    weights that is here by then is continued the next time.

    Args:
        name: Name of the encoder on the hub.
        seconds: Longest wait without a byte, the first answer included.
        console: Console for the progress; None shows nothing.

    Raises:
        DownloadError: If the download stalls, or the hub, the network or the disk has a fault.
    """
    command = [sys.executable, "-P", "-m", "tuning.download.hub_process", name, str(seconds)]
    with tempfile.TemporaryFile("w+") as errors, Transfer(console, name) as transfer:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            last = _follow(process, seconds, transfer)
            if last is None:
                process.wait(_END_SECONDS)
                errors.seek(0)
                raise DownloadError("the download ended without a word", errors.read()[-1000:])
        finally:
            process.kill()
            process.wait()
    if "folder" in last:
        return Path(str(last["folder"]))
    raise DownloadError(str(last["sentence"]), f"{name}: {last.get('detail')}")


def _follow(
    process: subprocess.Popen[str], seconds: float, transfer: Transfer
) -> Mapping[str, Any] | None:
    """Show what the process reports; return its last report, None if it ended without one.

    Raises:
        DownloadError: If it reports no byte for too long.
    """
    assert process.stdout is not None, "its output is a pipe"
    reports: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, reports), daemon=True).start()
    deadline, done, log = time.monotonic() + max(seconds, _IMPORT_SECONDS), 0, ""
    while True:
        try:
            report = reports.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty as error:
            raise DownloadError(_stall(seconds, done, log), log or "no report") from error
        if report is None or "folder" in report or "sentence" in report:
            return report
        log = str(report.get("log", log))
        if "done" in report:  # a warning of the library is no sign of a byte
            deadline, done = time.monotonic() + seconds, int(report["done"])
            if report["total"]:
                transfer.show(done, int(report["total"]))


def _stall(seconds: float, done: int, log: str) -> str:
    """Return the sentence for a silence; the library waits silently when it is refused."""
    status = re.search(r"HTTP Error (\d{3})", log)
    if status:
        return status_sentence(int(status[1]), _HUB)
    return silence_sentence(_HUB, seconds, done)


def _read(output: IO[str], reports: queue.Queue[Mapping[str, Any] | None]) -> None:
    with output:
        for line in output:
            if line.startswith("{"):
                reports.put(json.loads(line))
    reports.put(None)
