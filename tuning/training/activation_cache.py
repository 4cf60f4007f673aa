"""The cache of the frozen layers' states: computed once for a data set and kept in a file.

Shapes: S tokens of all rows of a split, D encoder width.
"""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.batches import RowReader, sorted_batches
from models.classifier import run_frozen, storage_type
from models.encoder import EncoderPart
from models.precision import choose_device
from models.state_writer import StateWriter
from models.tokens import TokenTable
from tuning.system.atomic_files import atomic_write

logger = logging.getLogger(__name__)
States = dict[str, np.ndarray]
Advance = Callable[[int], None]  # gets the number of rows that are ready since its last call
Elsewhere = Callable[["FrozenEncoder", TokenTable, Advance], np.ndarray]  # as ``encode``
_TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}  # what fits a cache, and what fills a GPU
_FORMAT = "1"  # part of every fingerprint: raise it when the computation changes


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenEncoder:
    """The frozen layers, and all that their states depend on besides the tokens.

    ``lower`` returns the layers; it is called only if states have to be computed. ``depth`` is
    their number, ``precision`` the type they compute in, ``layer_mean`` whether they return the
    mean of their states beside the highest's. ``elsewhere``, if given, runs them in place of this
    process, which then needs no such device.
    """

    lower: Callable[[], EncoderPart]
    encoder_fingerprint: str
    depth: int
    precision: torch.dtype
    device: torch.device
    layer_mean: bool = False
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenPass:
    """Where the frozen layers run, and who is told how far they are.

    Attributes:
        device: Device that trials run on; by default the one that torch sees here.
        elsewhere: Function that runs the layers on such a device in place of this process.
        advance: Called with the number of rows whose states are ready since its last call.
    """

    device: torch.device = field(default_factory=choose_device)
    elsewhere: Elsewhere | None = None
    advance: Advance = lambda rows: None


def load_or_compute(
    frozen: FrozenEncoder,
    tables: dict[str, TokenTable],
    folder: Path,
    advance: Callable[[int], None] = lambda rows: None,
) -> States:
    """Return the states of each split, float16 or float32 (S, D), from the cache if it has them.

    Otherwise compute them and write the cache file. A damaged file is computed again; if the file
    cannot be written, the states are returned all the same: both are logged as warnings.
    Processes that need the same states at the same time compute them once.

    Args:
        frozen: Frozen layers and how to run them.
        tables: Token sequences by split.
        folder: Folder of the cache files; made if absent.
        advance: Called with the number of rows whose states are ready since its last call.
    """
    path = folder / f"{fingerprint(frozen, tables)}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            return _load_or_compute(frozen, tables, path, advance)
    except OSError as error:
        logger.warning("%s: no activations are kept: %s", folder, error)
        return {split: encode(frozen, table, advance) for split, table in tables.items()}


def _load_or_compute(
    frozen: FrozenEncoder,
    tables: dict[str, TokenTable],
    path: Path,
    advance: Callable[[int], None],
) -> States:
    cached = load_states(path)
    if cached is not None:
        advance(sum(table.sequences.rows for table in tables.values()))
        return cached
    states = {split: encode(frozen, table, advance) for split, table in tables.items()}
    try:
        save_states(path, states)
    except OSError as error:
        logger.warning("%s; the activations are not kept", error)
    return states


def fingerprint(frozen: FrozenEncoder, tables: dict[str, TokenTable]) -> str:
    """Return a hash of everything that the states depend on, 16 hexadecimal digits."""
    parts = [_FORMAT, frozen.encoder_fingerprint, str(frozen.depth), str(frozen.precision)]
    parts += [frozen.device.type, *(["layer mean"] if frozen.layer_mean else [])]
    digest = hashlib.sha256("|".join(parts).encode())
    for name, table in tables.items():
        digest.update(name.encode())
        digest.update(table.tokens.tobytes() + table.offsets.tobytes())
    return digest.hexdigest()[:16]


def encode(
    frozen: FrozenEncoder, table: TokenTable, advance: Callable[[int], None] = lambda rows: None
) -> np.ndarray:
    """Return the states of every token of the table's sequences, float16 or float32 (S, D).

    Raises:
        ValueError: If the table has no rows.
    """
    if not table.rows:
        raise ValueError("the table has no rows")
    if frozen.elsewhere is not None:
        return frozen.elsewhere(frozen, table, advance)
    table = table.sequences
    lower = frozen.lower().to(frozen.device).eval()
    reader = RowReader(table, None, frozen.device)
    batches = list(sorted_batches(table.lengths, _TOKENS_PER_BATCH[frozen.device.type]))
    with StateWriter(table, frozen.device) as writer:
        for rows, batch in zip(batches, reader.read_each(batches), strict=True):
            output = run_frozen(lower, batch.inputs, batch.segments, frozen.precision)
            writer.write(rows, output.to(storage_type(frozen.precision)))
            advance(len(rows))
    assert writer.states is not None, "there was a batch"
    return writer.states


def load_states(path: Path) -> States | None:
    """Return the states in ``path``, mapped into memory and not copied.

    Return None if the file is absent or damaged; a damaged file is logged as a warning.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:  # "numpy" would copy them
            states = {split: file.get_tensor(split).numpy() for split in file.keys()}  # noqa: SIM118
            expected = (file.metadata() or {}).get("sha256")
    except (SafetensorError, OSError, ValueError) as error:
        logger.warning("%s: damaged, so it is computed again: %s", path, error)
        return None
    if _checksum(states) != expected:
        logger.warning("%s: damaged, so it is computed again: its checksum differs", path)
        return None
    return states


def save_states(path: Path, states: States) -> None:
    """Write the states and their checksum; after an error there is no file at ``path``.

    Raises:
        OSError: If the disk is full or cannot be written.
    """
    size = sum(array.nbytes for array in states.values())
    with atomic_write(path, size) as beside:
        try:
            save_file(states, beside, metadata={"sha256": _checksum(states)})
        except SafetensorError as error:  # it has no error number, only a text
            full = "os error 28" in str(error)
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error


def _checksum(states: States) -> str:
    digest = hashlib.sha256()
    for split in sorted(states):
        digest.update(f"{split}{states[split].dtype}{states[split].shape}".encode())
        digest.update(np.ascontiguousarray(states[split]).data)
    return digest.hexdigest()
