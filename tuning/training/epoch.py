"""The batches and the losses of one epoch, kept on the device so that a GPU never waits.

Shapes: N pairs of a split, B rows in a batch, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from models.batches import Batch, shuffled_batches
from tuning.training.evaluation import Forward
from tuning.training.inputs import LoadedSplit

# Steps between two looks at the losses. A look makes the host wait until a GPU has done all that
# it was given; on a CPU there is nothing to wait for.
_STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 32}


def draw_rows(train: LoadedSplit, generator: np.random.Generator) -> np.ndarray:
    """Return one row for each pair, int (N,): where both orders exist, a random one of them."""
    order = generator.integers(train.orders, size=train.pairs)
    return np.arange(train.pairs) + train.pairs * order


def epoch_batches(
    train: LoadedSplit, size: int, generator: np.random.Generator
) -> Iterator[tuple[Batch, Tensor]]:
    """Yield the batches of an epoch in random order, each with its targets (B, C).

    Args:
        train: Split to learn from.
        size: Number of pairs in a batch; one batch may have fewer.
        generator: Source of the random order.
    """
    rows = draw_rows(train, generator)
    batches = list(shuffled_batches(rows, train.reader.lengths, size, generator))
    targets = train.targets_of(np.concatenate(batches)).split([*map(len, batches)])
    yield from zip(train.reader.read_each(batches), targets, strict=True)


def batch_loss(model: Forward, batch: Batch, targets: Tensor, r_drop: float) -> Tensor:
    """Return the cross-entropy of a batch in nats per pair: its sum by the number of pairs.

    With ``r_drop`` above 0 the batch is passed twice, with different dropout: the result is the
    mean of both losses, plus ``r_drop`` times the mean of the two Kullback-Leibler divergences
    between the passes (R-Drop, Liang et al., 2021).

    Args:
        model: Function from the batch's tensors to logits (B, C).
        batch: Rows of B pairs.
        targets: Probabilities of the classes, times their weights, float (B, C).
        r_drop: Weight of the divergence, at least 0.
    """
    tensors = (batch.inputs, batch.segments, batch.features, batch.lengths)
    logits = model(*tensors)
    loss = nn.functional.cross_entropy(logits, targets)
    if not r_drop:
        return loss
    second_logits = model(*tensors)
    loss = (loss + nn.functional.cross_entropy(second_logits, targets)) / 2
    one, two = logits.log_softmax(dim=-1), second_logits.log_softmax(dim=-1)
    divergence = ((one.exp() - two.exp()) * (one - two)).sum(dim=-1).mean() / 2
    return loss + r_drop * divergence


def in_parts(batch: Batch, targets: Tensor, parts: int) -> list[tuple[Batch, Tensor]]:
    """Return a batch in parts of nearly equal size, each with its targets.

    Args:
        batch: Rows of B pairs.
        targets: Their targets, (B, C).
        parts: Number of parts, at least 1; at most B are made.
    """
    if parts == 1:
        return [(batch, targets)]
    return [
        (
            Batch(
                rows=batch.rows[own],
                inputs=batch.inputs[own],
                segments=batch.segments[own],
                lengths=batch.lengths[own],
                features=None if batch.features is None else batch.features[own],
            ),
            targets[own],
        )
        for own in _slices(len(targets), min(parts, len(targets)))
    ]


def _slices(rows: int, parts: int) -> list[slice]:
    """Return the rows' slices of nearly equal size: indices would have to be copied to a GPU."""
    own = np.array_split(np.arange(rows), parts)
    return [slice(int(each[0]), int(each[-1]) + 1) for each in own]


class EpochLoss:
    """The mean loss of an epoch's pairs, with a look at the losses every few steps.

    Args:
        device: Device on which the losses are computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._between = _STEPS_BETWEEN_LOOKS[device.type]
        self._unread: list[tuple[Tensor, int]] = []
        self._total, self._pairs = 0.0, 0
        self._finite = True

    def add(self, loss: Tensor, pairs: int) -> bool:
        """Add the loss of a step; return False once a loss that is not finite was seen.

        Args:
            loss: Mean loss of the step's pairs in nats, a scalar.
            pairs: Number of these pairs.
        """
        self._unread.append((loss.detach(), pairs))
        if len(self._unread) >= self._between:
            self._look()
        return self._finite

    def result(self) -> tuple[float, bool]:
        """Return the mean loss in nats per pair up to the first that is not finite, and whether
        there was such a loss.
        """
        self._look()
        return self._total / max(self._pairs, 1), not self._finite

    def _look(self) -> None:
        if not self._unread or not self._finite:
            return
        values = torch.stack([loss for loss, _ in self._unread]).tolist()
        for value, (_, pairs) in zip(values, self._unread, strict=True):
            if not math.isfinite(value):
                self._finite = False
                break
            self._total, self._pairs = self._total + value * pairs, self._pairs + pairs
        self._unread.clear()
