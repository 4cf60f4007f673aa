"""The cache of the frozen layers' states: computed once for a data set and kept in a file.

Shapes: S tokens of all rows of a split, D encoder width.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from models import state_files
from models.encoder import encoder_loader
from models.frozen_pass import Advance, FrozenEncoder, FrozenPass, encode_each
from models.number_formats import Precision
from models.precision import has_fast_products
from models.state_files import MappedStates
from models.tokens import Encoding, TokenTable
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.system.atomic_files import DiskError, atomic_write
from tuning.training.cost import ACTIVATIONS, WAYS_OUT

logger = logging.getLogger(__name__)
States = Mapping[str, np.ndarray | MappedStates]
_FORMAT = "1"  # part of every fingerprint: raise it when the computation changes


class PassError(Exception):
    """The frozen layers could not run, for the reason that is its argument."""


def cached_states(
    prepared: Prepared,
    variants: Sequence[TrialConfig],
    precision: Precision,
    output: Path,
    frozen_pass: FrozenPass,
) -> dict[tuple[int, Encoding, bool], States]:
    """Return the states of the frozen layers by ``Prepared.variant_of``, from one pass.

    It runs only if the cache does not have them all. Variants without a frozen layer have no
    states, and none has if the experiment does not cache them.

    Args:
        prepared: Experiment with its data and encoder.
        variants: Trials of one encoding, each of another variant.
        precision: Number formats that the encoder's layers compute in.
        output: Folder of results, in which ``activations`` holds the cache.
        frozen_pass: Where the frozen layers run.
    """
    keys = [prepared.variant_of(each) for each in variants if prepared.depth_of(each)]
    if not keys or not prepared.experiment.cache_activations:
        return {}
    outputs = [_output_of(prepared, key, precision, frozen_pass) for key in keys]
    tables = prepared.encoded[variants[0].encoding].splits
    found = load_or_compute(outputs, tables, output / ACTIVATIONS, frozen_pass.advance)
    return dict(zip(keys, found, strict=True))


def _output_of(
    prepared: Prepared,
    variant: tuple[int, Encoding, bool],
    precision: Precision,
    frozen_pass: FrozenPass,
) -> FrozenEncoder:
    (depth, encoding, mean), encoder = variant, prepared.encoder
    device = frozen_pass.device
    load = encoder_loader(encoder.folder, depth, device, encoding, layer_mean=mean)
    return FrozenEncoder(
        lower=lambda: load()[0],
        encoder_fingerprint=encoder.fingerprint,
        depth=depth,
        precision=getattr(torch, precision.frozen),
        device=device,
        layer_mean=mean,
        elsewhere=frozen_pass.elsewhere,
    )


def load_or_compute(
    outputs: Sequence[FrozenEncoder],
    tables: dict[str, TokenTable],
    folder: Path,
    advance: Advance = lambda rows: None,
) -> list[States]:
    """Return the states of each split at each output, float16 or float32 (S, D), in cache files.

    Those without a file are computed in one pass, and each is written as if it were alone. A
    damaged file is computed again. If one cannot be written, the states are returned in memory,
    if that is large enough: both are logged as warnings. Processes that need the same states at
    the same time compute them once.

    Args:
        outputs: Frozen layers, alike but for their number and the mean, and how to run them.
        tables: Token sequences by split.
        folder: Folder of the cache files; made if absent.
        advance: Called with the number of rows whose states are ready since its last call.

    Raises:
        DiskError: If a file cannot be written, and memory has no room for the states.
        OSError: If the frozen layers cannot run, as on the GPUs of a cluster.
    """
    paths = [folder / f"{fingerprint(each, tables)}.safetensors" for each in outputs]
    missing, found = dict(zip(paths, outputs, strict=True)), {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as locks:
            found = _find(paths, locks)
            missing = {path: each for path, each in missing.items() if path not in found}
            found |= _compute(missing, tables, advance)
    except PassError as error:
        raise error.args[0] from error
    except OSError as error:
        sizes = [_bytes_of(tables, *form) for form in _forms([*missing.values()], tables)]
        if not state_files.fits_memory(sum(sizes)):
            raise DiskError(f"{error}; memory has no room for them: {WAYS_OUT}") from error
        logger.warning("%s: the activations are not kept: %s", folder, error)
        found |= _compute_in_memory(missing, tables, advance)
    return [found[path] for path in paths]


def _find(paths: Sequence[Path], locks: ExitStack) -> dict[Path, States]:
    """Return the states in the files that are there; the others stay locked until ``locks`` ends.

    Locks are taken in one order everywhere, so that no two processes wait for each other.
    """
    found = {}
    for path in sorted({*paths}):
        with ExitStack() as lock:
            lock.enter_context(FileLock(path.with_suffix(".lock")))
            cached = load_states(path)
            if cached is None:
                locks.push(lock.pop_all())
            else:
                found[path] = cached
    return found


def _compute(
    missing: Mapping[Path, FrozenEncoder], tables: dict[str, TokenTable], advance: Advance
) -> dict[Path, States]:
    """Compute the states of some files, in the files.

    Raises:
        DiskError: If a file cannot be written.
        PassError: If the layers cannot run, so that this is not taken for an error of the disk.
    """
    if not missing:
        advance(sum(table.sequences.rows for table in tables.values()))
        return {}
    outputs = list(missing.values())
    tokens = {split: len(table.tokens) for split, table in tables.items()}
    with ExitStack() as files:
        states = {}
        for path, form in zip(missing, _forms(outputs, tables), strict=True):
            beside = files.enter_context(atomic_write(path, _bytes_of(tables, *form)))
            states[beside] = state_files.create(beside, tokens, *form)
        for split, table in tables.items():
            try:
                encode_each(outputs, table, advance, [own[split] for own in states.values()])
            except OSError as error:
                raise PassError(error) from error
        for beside in states:
            state_files.seal(beside)
    return {path: state_files.read(path)[0] for path in missing}


def _compute_in_memory(
    missing: Mapping[Path, FrozenEncoder], tables: dict[str, TokenTable], advance: Advance
) -> dict[Path, States]:
    outputs = list(missing.values())
    each = {split: encode_each(outputs, table, advance) for split, table in tables.items()}
    return {
        path: {split: states[position] for split, states in each.items()}
        for position, path in enumerate(missing)
    }


def _bytes_of(tables: dict[str, TokenTable], width: int, kind: np.dtype[Any]) -> int:
    return width * kind.itemsize * sum(len(table.tokens) for table in tables.values())


def _forms(
    outputs: Sequence[FrozenEncoder], tables: dict[str, TokenTable]
) -> list[tuple[int, np.dtype[Any]]]:
    """Return the numbers of a token's state and their type, from a pass over one sequence here."""
    table = next(iter(tables.values())).sequences
    end = table.offsets[1]
    tokens, segments = table.tokens[:end], table.segments[:end]
    one = replace(table, tokens=tokens, segments=segments, offsets=table.offsets[:2], pairs=1)
    cpu = torch.device("cpu")
    found = encode_each([replace(each, elsewhere=None, device=cpu) for each in outputs], one)
    return [(states.shape[1], states.dtype) for states in found]


def fingerprint(frozen: FrozenEncoder, tables: dict[str, TokenTable]) -> str:
    """Return a hash of everything that the states depend on, 16 hexadecimal digits."""
    parts = [_FORMAT, frozen.encoder_fingerprint, str(frozen.depth), str(frozen.precision)]
    parts += [frozen.device.type, *(["layer mean"] if frozen.layer_mean else [])]
    if (frozen.device.type, frozen.precision) == ("cpu", torch.float32) and has_fast_products():
        parts.append("oneDNN")
    digest = hashlib.sha256("|".join(parts).encode())
    for name, table in tables.items():
        digest.update(name.encode())
        digest.update(table.tokens.tobytes() + table.offsets.tobytes())
    return digest.hexdigest()[:16]


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
