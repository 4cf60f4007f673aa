"""Files of token states: processes map them into memory, where all share one copy of what is read.

A file is in the safetensors format and holds the states of each split, one split after another.

Shapes: S tokens of all rows of a split, D encoder width.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from safetensors import SafetensorError, safe_open

_KINDS = {"F16": np.dtype(np.float16), "F32": np.dtype(np.float32)}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_NO_SUM = "0" * 64  # has the length of a checksum, so that one can be written over it
_HEADER_BYTES = 4096  # more than the part of a header that holds the checksum
SHARE = 0.5  # of the memory that is available: larger states are read from the disk, row by row


@dataclass(frozen=True, kw_only=True, slots=True)
class MappedStates:
    """States in a file; what is pickled is where they are.

    Attributes:
        path: File with the states; it must not change while they are used.
        start: Position of their first byte in the file.
        shape: Number of tokens S and numbers of a token's state D.
        kind: Type of the numbers, float16 or float32.
    """

    path: Path
    start: int
    shape: tuple[int, int]
    kind: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Return the number of bytes of the states."""
        return self.shape[0] * self.shape[1] * self.kind.itemsize

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> np.ndarray:
        """Return the states (S, D), mapped and read-only: NumPy calls it."""
        return np.array(OpenStates(self, ahead=False).array, dtype=dtype, copy=copy)

    def followed_by(self, other: MappedStates) -> MappedStates | None:
        """Return both as one, or None if the other does not begin where this ends."""
        end = (self.path, self.kind, self.start + self.nbytes)
        if end != (other.path, other.kind, other.start):
            return None
        return replace(self, shape=(self.shape[0] + other.shape[0], self.shape[1]))


class OpenStates:
    """States that this process has mapped.

    The system reads a file's pages when they are first touched, and what follows them too. Of
    states that memory has no room for this would read most in vain, so there only what is touched
    is read, and ``ask`` has the rows of coming batches read meanwhile.

    Args:
        states: Where they are.
        ahead: Whether to read rows ahead; by default if the file does not fit a share of memory.

    Attributes:
        array: The states, read-only, (S, D).
        ahead: Whether rows are read ahead.
    """

    def __init__(self, states: MappedStates, *, ahead: bool | None = None) -> None:
        with states.path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        flat = np.frombuffer(self._map, states.kind, int(np.prod(states.shape)), states.start)
        self.array = flat.reshape(states.shape)
        self.ahead = not fits_memory(len(self._map)) if ahead is None else ahead
        self._start, self._token = states.start, states.shape[1] * states.kind.itemsize
        if self.ahead:
            self._map.madvise(mmap.MADV_RANDOM)

    def ask(self, bounds: np.ndarray) -> None:
        """Begin to read the states of some sequences, if states are read ahead; do not wait.

        Args:
            bounds: First token of each sequence, and the one after its last, int (n, 2).
        """
        if not self.ahead:
            return
        places = self._start + bounds * self._token
        places[:, 0] -= places[:, 0] % mmap.PAGESIZE
        for begin, end in places.tolist():
            self._map.madvise(mmap.MADV_WILLNEED, begin, end - begin)


def fits_memory(size: int) -> bool:
    """Return whether so many bytes are at most a share of the memory that is available now."""
    return size <= SHARE * psutil.virtual_memory().available


def create(
    path: Path, tokens: Mapping[str, int], width: int, kind: np.dtype[Any]
) -> dict[str, np.ndarray]:
    """Make a file for the states of some splits; return their arrays, mapped, to be filled.

    Its space is taken at once, so that a full disk is met before anything is computed.

    Args:
        path: File to make; ``seal`` completes it.
        tokens: Number of tokens of each split, in the order of the file.
        width: Numbers of a token's state.
        kind: Type of the numbers, float16 or float32.

    Raises:
        OSError: If the disk is full or cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": {"sha256": _NO_SUM}}
    end = 0
    for split, count in tokens.items():
        start, end = end, end + count * width * kind.itemsize
        shape = [count, width]
        header[split] = {"dtype": _NAMES[kind], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.flush()
        os.posix_fallocate(file.fileno(), 0, 8 + len(text) + end)
    states, _ = read(path)
    return {
        split: np.memmap(path, kind, "r+", own.start, own.shape) for split, own in states.items()
    }


def seal(path: Path) -> None:
    """Write the checksum of a file that ``create`` made and whose arrays were filled."""
    states, _ = read(path)
    with path.open("r+b") as file:
        file.seek(file.read(_HEADER_BYTES).index(_NO_SUM.encode()))
        file.write(checksum(states).encode())


def read(path: Path) -> tuple[dict[str, MappedStates], str | None]:
    """Return where the states of each split are in a file, and the checksum written there.

    Raises:
        OSError, ValueError: If it is not a whole file of states; its checksum is not looked at.
    """
    try:
        with safe_open(path, framework="numpy") as file:  # checks the header and the size
            found = (file.metadata() or {}).get("sha256")
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    with path.open("rb") as file:
        data = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(data - 8))
    header.pop("__metadata__", None)
    for split, entry in header.items():
        if entry["dtype"] not in _KINDS or len(entry["shape"]) != 2:
            raise ValueError(f"{split}: holds no states, but {entry['dtype']} {entry['shape']}")
    return {
        split: MappedStates(
            path=path,
            start=data + entry["data_offsets"][0],
            shape=tuple(entry["shape"]),
            kind=_KINDS[entry["dtype"]],
        )
        for split, entry in header.items()
    }, found


def checksum(states: Mapping[str, MappedStates]) -> str:
    """Return the SHA-256 sum of the states of all splits, with their names, types and shapes."""
    digest = hashlib.sha256()
    for split in sorted(states):
        array = np.asarray(states[split])
        digest.update(f"{split}{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
