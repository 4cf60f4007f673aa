"""The features of a pair beside its tokens: shared words, and the cosine of both texts.

Shapes: N pairs of a split, B rows in a batch, D encoder width, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.batches import Batch, RowReader, SplitArrays, sorted_batches
from models.classifier import run_frozen
from models.cosine import mean_cosine
from models.encoder import EncoderPart
from models.precision import use_fast_products
from tuning.config.experiment import TrialConfig

_TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}  # as in the activation cache


def features_of(arrays: SplitArrays, config: TrialConfig) -> np.ndarray | None:
    """Return the features that a trial classifies from as well, float (N, F); None if it has none.

    Raises:
        ValueError: If the split lacks features that the trial needs.
    """
    wanted = []
    if config.overlap_features:
        wanted.append(("overlap features", arrays.overlap))
    if config.cosine_feature is True:  # not auto, which is fitted to the data before
        wanted.append(("cosines", arrays.cosine))
    for name, found in wanted:
        if found is None:
            raise ValueError(f"the split has no {name}")
    found = [values for _, values in wanted if values is not None]
    return np.hstack(found) if found else None


def frozen_states(
    load: Callable[[], tuple[EncoderPart, EncoderPart]],
    precision: torch.dtype,
    device: torch.device,
) -> Callable[[Batch], Tensor]:
    """Return a function from a batch of token ids to the states of the loaded lower part.

    From then on this process multiplies float32 as ``use_fast_products`` says.
    """
    use_fast_products()

    def run(batch: Batch) -> Tensor:
        lower = load()[0].to(device).eval()
        return run_frozen(lower, batch.inputs, batch.segments, precision)

    return run


def add_cosines(
    splits: Mapping[str, SplitArrays],
    frozen: Callable[[Batch], Tensor],
    device: torch.device,
    width: int,
) -> dict[str, SplitArrays]:
    """Return the splits with the cosine of each pair's texts.

    Args:
        splits: Arrays of the splits, of pairs that are encoded separately.
        frozen: Function from a batch of token ids to the frozen layers' states (B, T, D), the
            highest's last if they are of every layer; it is not called where a split holds them.
        device: Device to compute on.
        width: Encoder width D.
    """
    return {
        name: replace(arrays, cosine=_cosines(arrays, frozen, device, width))
        for name, arrays in splits.items()
    }


@torch.no_grad()
def _cosines(
    arrays: SplitArrays, frozen: Callable[[Batch], Tensor], device: torch.device, width: int
) -> np.ndarray:
    """Return the cosine of each pair's texts, float32 (N, 1)."""
    table, states = arrays.table, arrays.states
    reader = RowReader(table, states, device)
    batches = list(sorted_batches(table.lengths[: table.pairs], _TOKENS_PER_BATCH[device.type]))
    found = np.empty((table.pairs, 1), dtype=np.float32)
    for rows, batch in zip(batches, reader.read_each(batches), strict=True):
        inputs = batch.inputs if states is not None else frozen(batch)
        found[rows] = mean_cosine(inputs[..., -width:], batch.segments).cpu().numpy()
    return found
