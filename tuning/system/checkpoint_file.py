"""Where a trial under way stands, in one file: to go on after a crash as if there had been none.

The file is found by what is trained, and not by the name of a run: a trial that is started again
finds what it had reached. Its first line is the checksum of all that follows, its second one JSON
with the epochs so far, which the driver reads without torch, and the rest is torch's.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

from tuning.system.atomic_files import DamagedError
from tuning.system.storage_path import StoragePath

FORMAT = 1  # part of every name: raise it when the content changes


def save_state(path: StoragePath, state: Mapping[str, Any], epochs: list[dict[str, Any]]) -> None:
    """Write where a trial stands; the file is whole, or the one before.

    Args:
        path: From ``state_file``.
        state: Tensors, numbers, texts, and lists and mappings of them.
        epochs: What was reported of each epoch so far, as JSON values.

    Raises:
        OSError: If the disk is full or cannot be written.
    """
    import torch  # the driver, which reads the epochs, needs none

    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    content = json.dumps(epochs).encode() + b"\n" + buffer.getvalue()
    path.write(_checksum(content) + b"\n" + content)


def load_state(path: StoragePath) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Return what ``save_state`` wrote: the state and the epochs; None if there is no file.

    Raises:
        DamagedError: If the file was altered.
    """
    import torch

    content = _read(path)
    if content is None:
        return None
    epochs, _, rest = content.partition(b"\n")
    return torch.load(io.BytesIO(rest), map_location="cpu", weights_only=True), json.loads(epochs)


def load_epochs(path: StoragePath) -> list[dict[str, Any]]:
    """Return what was reported of each epoch so far; nothing if there is no file.

    Raises:
        DamagedError: If the file was altered.
    """
    content = _read(path)
    return [] if content is None else json.loads(content.partition(b"\n")[0])


def _read(path: StoragePath) -> bytes | None:
    found = path.read()
    if found is None:
        return None
    checksum, _, content = found.partition(b"\n")
    if checksum != _checksum(content):
        raise DamagedError(f"{path}: was altered; the trial starts from its first epoch")
    return content


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
