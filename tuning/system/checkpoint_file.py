"""Checkpoint files: the complete state of a running trial, its epochs and a checksum in one file.

A trial that is started again after a crash loads the file and continues exactly. The name of the
file depends on what is trained and not on the run, so that the trial finds it. Its first line is
the checksum of all that follows, its second line the epochs so far as JSON, which the driver reads
without torch, and the rest is what ``torch.save`` wrote.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

from tuning.system.atomic_files import DamagedError
from tuning.system.storage_path import StoragePath

FORMAT = 2  # part of every file's name: raise it when the content changes


def save_state(path: StoragePath, state: Mapping[str, Any], epochs: list[dict[str, Any]]) -> None:
    """Write the state of a trial; the file is the complete new one, or the one before.

    Args:
        path: Checkpoint file, as ``state_file`` names it.
        state: Tensors, numbers, texts, and lists and mappings of them.
        epochs: Metrics that were reported for each epoch so far, as JSON values.

    Raises:
        DiskError: If the disk is full or not writable.
    """
    import torch  # the driver, which reads only the epochs, does without it

    # one copy of the state, summed in place: each further one takes longer than the disk
    buffer = io.BytesIO()
    buffer.write(_checksum(b"") + b"\n")
    begin = buffer.tell()
    buffer.write(json.dumps(epochs).encode() + b"\n")
    torch.save(dict(state), buffer)
    with buffer.getbuffer() as content:
        content[: begin - 1] = _checksum(content[begin:])
        path.write(content)


def load_state(path: StoragePath) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Return the state and the epochs that ``save_state`` wrote; None if there is no file.

    Tensors are loaded to the CPU.

    Raises:
        DamagedError: If the file was altered.
        UnpicklingError: If the file holds more than tensors and plain values; no code is run.
        OSError: If the file cannot be read.
    """
    import torch

    content = _read(path)
    if content is None:
        return None
    epochs, _, state = content.partition(b"\n")
    return torch.load(io.BytesIO(state), map_location="cpu", weights_only=True), json.loads(epochs)


def load_epochs(path: StoragePath) -> list[dict[str, Any]]:
    """Return the metrics that were reported for each epoch so far; none if there is no file.

    Raises:
        DamagedError: If the file was altered.
        OSError: If the file cannot be read.
    """
    content = _read(path)
    return [] if content is None else json.loads(content.partition(b"\n")[0])


def _read(path: StoragePath) -> bytes | None:
    """Return the content after the checksum, which is verified; None if there is no file."""
    found = path.read()
    if found is None:
        return None
    checksum, _, content = found.partition(b"\n")
    if checksum != _checksum(content):
        raise DamagedError(f"{path}: was altered; the trial starts from its first epoch")
    return content


def _checksum(content: bytes | memoryview) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
