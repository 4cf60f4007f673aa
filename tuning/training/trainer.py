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
from tuning.training.builders import build_optimizer, build_schedule, parameter_groups, start_order
from tuning.training.epoch import EpochLoss, epoch_batches
from tuning.training.evaluation import Forward, predict, score_logits, validate
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
            loss = batch_loss(self.model, batch, targets, self.config.r_drop)
            if not losses.add(loss, len(targets)):
                break
            self.step(loss)
        return losses.result()

    def step(self, loss: Tensor) -> None:
        """Change the weights by a step against the gradient of a batch's loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
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


def batch_loss(model: Forward, batch: Batch, targets: Tensor, r_drop: float) -> Tensor:
    """Return the cross-entropy of a batch in nats per pair: its sum by the number of pairs.

    With ``r_drop`` above 0 the batch is passed twice, with different dropout: the result is the
    mean of both losses, plus ``r_drop`` times the mean of the two Kullback-Leibler divergences
    between the passes (R-Drop, Liang et al., 2021).

    Args:
        model: Function from inputs, segments and features to logits (B, C).
        batch: Rows of B pairs.
        targets: Probabilities of the classes, times their weights, float (B, C).
        r_drop: Weight of the divergence, at least 0.
    """
    logits = model(batch.inputs, batch.segments, batch.features)
    loss = nn.functional.cross_entropy(logits, targets)
    if not r_drop:
        return loss
    second_logits = model(batch.inputs, batch.segments, batch.features)
    loss = (loss + nn.functional.cross_entropy(second_logits, targets)) / 2
    one, two = logits.log_softmax(dim=-1), second_logits.log_softmax(dim=-1)
    divergence = ((one.exp() - two.exp()) * (one - two)).sum(dim=-1).mean() / 2
    return loss + r_drop * divergence


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's generators: the CPU's, and the device's if it is a GPU."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_states(states: Mapping[str, Tensor]) -> None:
    """Set torch's generators to the states that ``random_states`` returned."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu())
