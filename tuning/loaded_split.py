"""A split on a device, as training and scoring read it."""

from __future__ import annotations

import torch
from torch import Tensor

from models.batches import Batch, RowReader, SplitArrays
from tuning.config import TrialConfig


class LoadedSplit:
    """A split on a device: its rows, and the targets they are trained towards.

    Args:
        arrays: Tokens or states, labels and votes.
        config: Says whether labels or votes are learned, and whether both orders are used.
        device: Where batches are made.
    """

    def __init__(self, arrays: SplitArrays, config: TrialConfig, device: torch.device) -> None:
        overlap = arrays.overlap if config.overlap_features else None
        self.reader = RowReader(arrays.table, arrays.states, device, overlap)
        self.labels = arrays.labels
        self.orders = 2 if config.both_orders else 1
        paraphrase = arrays.votes if config.targets == "votes" else arrays.labels
        shares = torch.tensor(paraphrase, dtype=torch.float32, device=device)
        self.targets = torch.stack([1 - shares, shares], dim=1)  # (N, C)

    @property
    def pairs(self) -> int:
        """Return N."""
        return self.reader.pairs

    def targets_of(self, batch: Batch) -> Tensor:
        """Return the probabilities of the classes, (B, C), that the batch's rows should get."""
        return self.targets[batch.rows % self.pairs]
