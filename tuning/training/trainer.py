"""The trainer of one classifier, epoch by epoch, in plain PyTorch: no Ray, no log, no files.

Shapes: N pairs of a split, B rows in a batch, C classes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from measures.objective import EPOCH_F1, EPOCH_LOSS, is_sound, score_flags
from models.batches import Batch
from models.classifier import Classifier
from tuning.config.experiment import TrialConfig
from tuning.training.builders import (
    build_optimizer,
    build_schedule,
    parameter_groups,
    random_states,
    set_random_states,
    start_order,
)
from tuning.training.epoch import EpochLoss, batch_loss, epoch_batches, in_parts
from tuning.training.evaluation import predict, score_logits, validate
from tuning.training.inputs import LoadedSplit


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochResult:
    """The result of one pass over the training split.

    Losses are in nats per pair, ``val_loss`` against the labels. ``scores`` are those of the
    validation split at 0.5, with ``auc`` and its standard error, ``threshold``,
    ``f1_at_threshold`` and ``target_loss``, the loss against the targets that are trained: votes
    or labels, without class weights. All numbers are finite: if ``diverged``, the training loss
    and the validation scores are the last finite ones.
    """

    epoch: int
    train_loss: float
    val_loss: float
    scores: dict[str, float]
    seconds: float
    diverged: bool = False

    @property
    def f1(self) -> float:
        """Return the validation F1 at the threshold."""
        return self.scores[EPOCH_F1]

    @property
    def rank(self) -> tuple[bool, float]:
        """Return what the best epoch has the highest of: sound first, then the lowest loss.

        The loss is that of the validation split against the trained targets: F1 at a threshold
        that fits the same pairs jumps from epoch to epoch.
        """
        return self.sound, -self.scores[EPOCH_LOSS]

    @property
    def flags(self) -> dict[str, float]:
        """Return every flag, 0 or 1 by name."""
        return {**score_flags(self.scores), "diverged": float(self.diverged)}

    @property
    def sound(self) -> bool:
        """Return whether the scores can be trusted: no flag is set."""
        return is_sound(self.flags)


class Trainer:
    """Trains a classifier one epoch at a time; can be saved and resumed after any epoch.

    It keeps the state of torch's generators between two epochs, so that other code may use them.

    Args:
        model: Classifier to train in place.
        train: Split to learn from.
        validation: Split on which each epoch is scored.
        config: Configuration of the trial.

    Attributes:
        parts: Number of parts that a batch is computed in: more than one once a GPU's memory was
            too small for a whole batch. The step stays that of the whole batch.
    """

    def __init__(
        self, model: Classifier, train: LoadedSplit, validation: LoadedSplit, config: TrialConfig
    ) -> None:
        self.model, self.train, self.validation, self.config = model, train, validation, config
        self.optimizer = build_optimizer(parameter_groups(model, config), config)
        self._trained = [
            weight for group in self.optimizer.param_groups for weight in group["params"]
        ]
        self.schedule = build_schedule(self.optimizer, train.pairs, config)
        self.generator = start_order(config)
        self.device = train.targets.device
        self.drawn = random_states(self.device)
        self.result: EpochResult | None = None
        self.parts = 1

    @property
    def finished(self) -> bool:
        """Return whether the last epoch was run, or one diverged."""
        last = self.result
        return last is not None and (last.diverged or last.epoch == self.config.epochs)

    def run_epoch(self) -> EpochResult:
        """Train one more epoch and return its result.

        An epoch diverges if a loss or a validation logit is not finite; the training ends with it.
        If that is the first epoch, the model gets its initial weights back.
        """
        set_random_states(self.drawn)
        started, before = time.perf_counter(), self.result
        untrained = None if before else self._weights()
        loss, diverged = self.train_epoch()
        logits = None if diverged else predict(self.model, self.validation)
        if logits is not None and np.isfinite(logits).all():
            val_loss, scores = score_logits(self.validation, logits)
        else:
            diverged = True
            val_loss, scores = self._last_good(untrained)
        self.result = EpochResult(
            epoch=before.epoch + 1 if before else 1,
            train_loss=loss,
            val_loss=val_loss,
            scores=scores,
            seconds=time.perf_counter() - started,
            diverged=diverged,
        )
        self.drawn = random_states(self.device)
        return self.result

    def _weights(self) -> dict[str, Tensor]:
        return {name: weight.clone() for name, weight in self.model.trained_state().items()}

    def _last_good(self, untrained: dict[str, Tensor] | None) -> tuple[float, dict[str, float]]:
        if self.result is not None:
            return self.result.val_loss, self.result.scores
        self.model.load_state_dict(self.model.state_dict() | (untrained or {}))
        return validate(self.model, self.validation)

    def train_epoch(self) -> tuple[float, bool]:
        """Train on each pair once, without scoring, and stop early at a loss that is not finite.

        A CPU stops before the step of that loss; a GPU, whose losses are read in groups, may take
        some more steps, after which the weights are of no use.

        Returns:
            The mean loss in nats per pair up to there, and whether training diverged.
        """
        self.model.train()
        losses = EpochLoss(self.device)
        for batch, targets in epoch_batches(self.train, self.config.batch_size, self.generator):
            loss = self.accumulate(batch, targets)
            if not losses.add(loss, len(targets)):
                break
            self.apply_gradient()
        return losses.result()

    def accumulate(self, batch: Batch, targets: Tensor) -> Tensor:
        """Compute the gradient of a batch's loss, and return the loss.

        If memory is too small for it, this and all later batches are computed in twice as many
        parts. Dropout then draws other numbers.

        Raises:
            torch.OutOfMemoryError: If memory is too small for a single pair.
        """
        while True:
            try:
                return self._accumulate_parts(batch, targets)
            except torch.OutOfMemoryError:
                if self.parts >= len(targets):
                    raise
                self.parts *= 2
            torch.cuda.empty_cache()

    def _accumulate_parts(self, batch: Batch, targets: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        for part, own in in_parts(batch, targets, self.parts):
            loss = batch_loss(self.model, part, own, self.config.r_drop)
            if self.parts > 1:
                loss = loss * (len(own) / len(targets))
            loss.backward()
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def step(self, loss: Tensor) -> None:
        """Change the weights by a step against the gradient of a batch's loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.apply_gradient()

    def apply_gradient(self) -> None:
        """Change the weights by a step against the gradient that they hold."""
        nn.utils.clip_grad_norm_(self._trained, self.config.clip_norm)
        self.optimizer.step()
        self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """Return everything the next epoch depends on: tensors, numbers and texts, not copied."""
        return {
            "weights": self.model.trained_state(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": json.dumps(self.generator.bit_generator.state),
            "drawn": self.drawn,
            "result": json.dumps(asdict(self.result)) if self.result else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned for the same model, data and configuration."""
        self.model.load_state_dict(self.model.state_dict() | state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.bit_generator.state = json.loads(state["order"])
        self.drawn = state["drawn"]
        self.result = EpochResult(**json.loads(state["result"])) if state["result"] else None


def fit(
    model: Classifier, train: LoadedSplit, validation: LoadedSplit, config: TrialConfig
) -> Iterator[EpochResult]:
    """Train ``model`` in place, yielding after each epoch; leaving the loop ends the training.

    Each epoch sees every pair once, in a random one of its orders.
    """
    training = Trainer(model, train, validation, config)
    while not training.finished:
        yield training.run_epoch()
