"""The cache of the frozen layers' states: computed once for a data set and kept in a file.

Shapes: S tokens of all rows of a split, D encoder width.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from models import state_files
from models.batches import RowReader, sorted_batches
from models.classifier import run_frozen, storage_type
from models.encoder import EncoderPart
from models.precision import choose_device
from models.state_files import MappedStates
from models.state_writer import StateWriter
from models.tokens import TokenTable
from tuning.system.atomic_files import DiskError, atomic_write
from tuning.training.cost import WAYS_OUT

logger = logging.getLogger(__name__)
States = Mapping[str, np.ndarray | MappedStates]
Advance = Callable[[int], None]  # gets the number of rows that are ready since its last call
# as ``encode``
Elsewhere = Callable[["FrozenEncoder", TokenTable, Advance, np.ndarray | None], np.ndarray]
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


class PassError(Exception):
    """The frozen layers could not run, for the reason that is its argument."""


def load_or_compute(
    frozen: FrozenEncoder,
    tables: dict[str, TokenTable],
    folder: Path,
    advance: Callable[[int], None] = lambda rows: None,
) -> States:
    """Return the states of each split, float16 or float32 (S, D), in the cache file.

    If it has them not, they are computed, and written there as they are. A damaged file is
    computed again. If the file cannot be written, the states are returned in memory, if that is
    large enough: both are logged as warnings. Processes that need the same states at the same time
    compute them once.

    Args:
        frozen: Frozen layers and how to run them.
        tables: Token sequences by split.
        folder: Folder of the cache files; made if absent.
        advance: Called with the number of rows whose states are ready since its last call.

    Raises:
        DiskError: If the file cannot be written, and memory has no room for the states.
        OSError: If the frozen layers cannot run, as on the GPUs of a cluster.
    """
    path = folder / f"{fingerprint(frozen, tables)}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            cached = load_states(path)
            if cached is None:
                return _compute(frozen, tables, path, advance)
    except PassError as error:
        raise error.args[0] from error
    except OSError as error:
        if not state_files.fits_memory(_bytes_of(tables, *_form(frozen, tables))):
            raise DiskError(f"{error}; memory has no room for them: {WAYS_OUT}") from error
        logger.warning("%s: the activations are not kept: %s", folder, error)
        return {split: encode(frozen, table, advance) for split, table in tables.items()}
    advance(sum(table.sequences.rows for table in tables.values()))
    return cached


def _compute(
    frozen: FrozenEncoder,
    tables: dict[str, TokenTable],
    path: Path,
    advance: Callable[[int], None],
) -> States:
    """Compute the states, in the file.

    Raises:
        DiskError: If the file cannot be written.
        PassError: If the layers cannot run, so that this is not taken for an error of the disk.
    """
    width, kind = _form(frozen, tables)
    tokens = {split: len(table.tokens) for split, table in tables.items()}
    with atomic_write(path, _bytes_of(tables, width, kind)) as beside:
        for split, states in state_files.create(beside, tokens, width, kind).items():
            try:
                encode(frozen, tables[split], advance, states)
            except OSError as error:
                raise PassError(error) from error
        state_files.seal(beside)
    return state_files.read(path)[0]


def _bytes_of(tables: dict[str, TokenTable], width: int, kind: np.dtype[Any]) -> int:
    return width * kind.itemsize * sum(len(table.tokens) for table in tables.values())


def _form(frozen: FrozenEncoder, tables: dict[str, TokenTable]) -> tuple[int, np.dtype[Any]]:
    """Return the numbers of a token's state and their type, from a pass over one sequence here."""
    table = next(iter(tables.values())).sequences
    end = table.offsets[1]
    tokens, segments = table.tokens[:end], table.segments[:end]
    one = replace(table, tokens=tokens, segments=segments, offsets=table.offsets[:2], pairs=1)
    states = encode(replace(frozen, elsewhere=None, device=torch.device("cpu")), one)
    return states.shape[1], states.dtype


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
    frozen: FrozenEncoder,
    table: TokenTable,
    advance: Callable[[int], None] = lambda rows: None,
    states: np.ndarray | None = None,
) -> np.ndarray:
    """Return the states of every token of the table's sequences, float16 or float32 (S, D).

    Args:
        frozen: Frozen layers and how to run them.
        table: Token sequences.
        advance: Called with the number of rows whose states are ready since its last call.
        states: Array to write them to, float (S, D); by default one in memory is made.

    Raises:
        ValueError: If the table has no rows.
    """
    if not table.rows:
        raise ValueError("the table has no rows")
    if frozen.elsewhere is not None:
        return frozen.elsewhere(frozen, table, advance, states)
    table = table.sequences
    lower = frozen.lower().to(frozen.device).eval()
    reader = RowReader(table, None, frozen.device)
    batches = list(sorted_batches(table.lengths, _TOKENS_PER_BATCH[frozen.device.type]))
    with StateWriter(table, frozen.device, states=states) as writer:
        for rows, batch in zip(batches, reader.read_each(batches), strict=True):
            output = run_frozen(lower, batch.inputs, batch.segments, frozen.precision)
            writer.write(rows, output.to(storage_type(frozen.precision)))
            advance(len(rows))
    assert writer.states is not None, "there was a batch"
    return writer.states


def load_states(path: Path) -> dict[str, MappedStates] | None:
    """Return where the states of each split are in ``path``.

    Return None if the file is absent or damaged; a damaged file is logged as a warning.
    """
    if not path.exists():
        return None
    try:
        states, expected = state_files.read(path)
    except (OSError, ValueError) as error:
        logger.warning("%s: damaged, so it is computed again: %s", path, error)
        return None
    if state_files.checksum(states) != expected:
        logger.warning("%s: damaged, so it is computed again: its checksum differs", path)
        return None
    return states
