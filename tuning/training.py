"""Train a classifier and yield a result an epoch: plain PyTorch, without Ray, log or files.

Shapes: N pairs of a split, B rows in a batch, C classes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from tuning.batches import Batch, RowReader, SplitArrays, shuffled_batches, sorted_batches
from tuning.config import TrialConfig
from tuning.optimization import (
    build_optimizer,
    build_schedule,
    parameter_groups,
    start_order,
)
from tuning.scores import area_under_curve, best_f1_threshold, log_loss, score

Forward = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # inputs, segments, features
_TOKENS_PER_BATCH = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochResult:
    """One pass over the training split.

    Losses are in nats per pair. ``scores`` are those of the validation split at 0.5, with
    ``auc``, ``threshold`` and ``f1_at_threshold``. All numbers are finite: if ``diverged``, the
    training loss is that of the steps before, and the validation scores are the last good ones.
    """

    epoch: int
    train_loss: float
    val_loss: float
    scores: dict[str, float]
    seconds: float
    diverged: bool = False

    @property
    def objective(self) -> float:
        """Return what epochs and trials are chosen by: validation F1 at its best threshold."""
        return self.scores["f1_at_threshold"]

    @property
    def collapsed(self) -> bool:
        """Return whether the classifier says the same of every validation pair at 0.5."""
        return self.scores["positive_rate"] in (0.0, 1.0)


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


def fit(
    model: Classifier, train: LoadedSplit, validation: LoadedSplit, config: TrialConfig
) -> Iterator[EpochResult]:
    """Train ``model`` in place, yielding after each epoch.

    The caller decides what to log and when to stop: leaving the loop ends the training. It ends
    by itself after an epoch that diverged (a loss or a validation logit that is not finite).
    Each epoch sees every pair once, in a random one of its orders. If the first one diverges the
    model is as it was given.
    """
    optimizer = build_optimizer(parameter_groups(model, config), config)
    schedule = build_schedule(optimizer, train.pairs, config)
    generator = start_order(config)
    untrained = {name: weight.clone() for name, weight in model.trained_state().items()}
    last: tuple[float, dict[str, float]] | None = None
    for epoch in range(1, config.epochs + 1):
        started = time.perf_counter()
        loss, diverged = train_one_epoch(model, train, optimizer, schedule, generator, config)
        logits = None if diverged else predict(model, validation)
        if logits is not None and np.isfinite(logits).all():
            last = score_logits(validation.labels, logits)
        else:
            diverged = True
        if last is None:
            model.load_state_dict(model.state_dict() | untrained)
            last = validate(model, validation)
        yield EpochResult(
            epoch=epoch,
            train_loss=loss,
            val_loss=last[0],
            scores=last[1],
            seconds=time.perf_counter() - started,
            diverged=diverged,
        )
        if diverged:
            return


def train_one_epoch(
    model: Classifier,
    train: LoadedSplit,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: np.random.Generator,
    config: TrialConfig,
) -> tuple[float, bool]:
    """Return the mean loss in nats per pair, and whether training diverged and was left."""
    model.train()
    weights = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    total, seen = 0.0, 0
    rows = draw_rows(train, generator)
    for chosen in shuffled_batches(rows, train.reader.lengths, config.batch_size, generator):
        batch = train.reader.read(chosen)
        loss = batch_loss(model, batch, train.targets_of(batch), config.r_drop)
        value = loss.item()
        if not math.isfinite(value):
            return total / max(seen, 1), True
        total, seen = total + value * len(chosen), seen + len(chosen)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, config.clip_norm)
        optimizer.step()
        schedule.step()
    return total / seen, False


def draw_rows(train: LoadedSplit, generator: np.random.Generator) -> np.ndarray:
    """Return one row a pair, int (N,): of pairs with both orders a random one."""
    order = generator.integers(train.orders, size=train.pairs)
    return np.arange(train.pairs) + train.pairs * order


def batch_loss(model: Forward, batch: Batch, targets: Tensor, r_drop: float) -> Tensor:
    """Return the cross-entropy in nats per pair towards targets (B, C).

    With ``r_drop`` above 0 the batch is passed twice, with other dropout: the mean of both losses
    and that weight times the mean of both Kullback-Leibler divergences (R-Drop, Liang et al.,
    2021).
    """
    logits = model(batch.inputs, batch.segments, batch.features)
    loss = nn.functional.cross_entropy(logits, targets)
    if not r_drop:
        return loss
    again = model(batch.inputs, batch.segments, batch.features)
    loss = (loss + nn.functional.cross_entropy(again, targets)) / 2
    one, two = logits.log_softmax(dim=-1), again.log_softmax(dim=-1)
    divergence = ((one.exp() - two.exp()) * (one - two)).sum(dim=-1).mean() / 2
    return loss + r_drop * divergence


@torch.no_grad()
def predict(model: Classifier, split: LoadedSplit) -> np.ndarray:
    """Return logits, float32 (N, C): the mean of both orders where the split has both."""
    model.eval()
    return predict_with(model, split)


def predict_with(forward: Forward, split: LoadedSplit) -> np.ndarray:
    """Return logits, float32 (..., N, C), of what gives logits (..., B, C) for a batch."""
    rows = split.pairs * split.orders
    outputs, places = [], []
    for chosen in sorted_batches(split.reader.lengths[:rows], _TOKENS_PER_BATCH):
        batch = split.reader.read(chosen)
        outputs.append(forward(batch.inputs, batch.segments, batch.features))
        places.append(batch.rows)
    logits = torch.cat(outputs, dim=-2)[..., torch.cat(places).argsort(), :]
    return logits.unflatten(-2, (split.orders, split.pairs)).mean(dim=-3).cpu().numpy()


def validate(model: Classifier, split: LoadedSplit) -> tuple[float, dict[str, float]]:
    """Return loss and scores of the model as it is; its logits must be finite."""
    return score_logits(split.labels, predict(model, split))


def score_logits(labels: np.ndarray, logits: np.ndarray) -> tuple[float, dict[str, float]]:
    """Return the loss in nats per pair, and the scores as in ``EpochResult``."""
    probabilities = to_probabilities(logits)
    threshold, f1 = best_f1_threshold(labels, probabilities)
    return log_loss(labels, logits), {
        **score(labels, probabilities, 0.5),
        "auc": area_under_curve(labels, probabilities),
        "threshold": threshold,
        "f1_at_threshold": f1,
    }


def to_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the probability of class 1, float64 (N,), for logits (N, 2)."""
    difference = logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64)
    return 0.5 * (1 + np.tanh(difference / 2))  # the logistic function, without overflow
