"""A trainer of all seeds of one configuration as one stacked model: only their weights differ.

Shapes: S seeds, B rows in a batch, C classes, N pairs of a split.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from models.batches import Batch
from models.classifier import Classifier
from tuning.config.experiment import TrialConfig
from tuning.training.builders import (
    build_optimizer,
    build_schedule,
    random_states,
    set_random_states,
    start_order,
)
from tuning.training.epoch import batch_loss, epoch_batches
from tuning.training.evaluation import Forward, predict_with, score_logits, validate
from tuning.training.inputs import LoadedSplit
from tuning.training.trainer import (
    EpochResult,
)


class StackedTrainer:
    """Trains models of one configuration as one whose weights have a leading dimension S.

    Args:
        models: One classifier for each seed; each epoch's weights are written back into them.
        train: Split to learn from.
        validation: Split on which each epoch is scored.
        config: Configuration of all seeds.
    """

    def __init__(
        self,
        models: list[Classifier],
        train: LoadedSplit,
        validation: LoadedSplit,
        config: TrialConfig,
    ) -> None:
        self.models, self.train, self.validation, self.config = models, train, validation, config
        self.weights, self.buffers = stack_module_state(models)  # pyright: ignore[reportArgumentType] - a sequence of modules
        self._skeleton = copy.deepcopy(models[0])
        groups = [{"params": list(self.weights.values()), "lr": config.learning_rate}]
        self.optimizer = build_optimizer(groups, config)
        self.schedule = build_schedule(self.optimizer, train.pairs, config)
        self.generator = start_order(config)
        self.device = train.targets.device
        self.drawn = random_states(self.device)
        self.results = [untrained_result(model, validation) for model in models]

    @property
    def finished(self) -> bool:
        """Return whether the last epoch was run, or every seed diverged."""
        last = max(result.epoch for result in self.results)
        return last == self.config.epochs or all(result.diverged for result in self.results)

    def run_epoch(self) -> list[EpochResult]:
        """Train all seeds one more epoch and return the result of each."""
        set_random_states(self.drawn)
        started = time.perf_counter()
        epoch = max(result.epoch for result in self.results) + 1
        losses = self.train_epoch()
        logits = self.predict(self.validation)  # (S, N, C)
        self._write_back()
        seconds = (time.perf_counter() - started) / len(self.models)
        for seed, before in enumerate(self.results):
            after = replace(before, epoch=epoch, seconds=seconds)
            if not before.diverged:
                self.results[seed] = _advance(after, losses[seed], logits[seed], self.validation)
        self.drawn = random_states(self.device)
        return list(self.results)

    def state_dict(self) -> dict[str, Any]:
        """Return everything the next epoch depends on: tensors, numbers and texts, not copied."""
        return {
            "weights": {name: weight.detach() for name, weight in self.weights.items()},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": json.dumps(self.generator.bit_generator.state),
            "drawn": self.drawn,
            "results": json.dumps([asdict(result) for result in self.results]),
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned for the same models, data and configuration."""
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.bit_generator.state = json.loads(state["order"])
        self.drawn = state["drawn"]
        self.results = [EpochResult(**result) for result in json.loads(state["results"])]
        self._write_back()

    def _forward_of(self, weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Forward:
        """Return the forward pass of the seed with these weights."""

        def forward(*tensors: Tensor | None) -> Tensor:
            return functional_call(self._skeleton, (weights, buffers), tensors)

        return forward

    def train_epoch(self) -> list[float]:
        """Train on each pair once, without scoring; return each seed's mean loss in nats per pair.

        The loss of a seed that diverged is not finite.
        """
        total = torch.zeros(len(self.models), device=self.device)
        for batch, targets in epoch_batches(self.train, self.config.batch_size, self.generator):
            total += self.step(batch, targets) * len(targets)
        return (total / self.train.pairs).tolist()

    def step(self, batch: Batch, targets: Tensor) -> Tensor:
        """Train all seeds one step on a batch of B rows, and return the loss of each, (S,).

        Args:
            batch: Rows of B pairs.
            targets: Probabilities of the classes, times their weights, float (B, C).
        """
        self._skeleton.train()
        losses = self._losses(batch, targets)
        self.optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        self._clip()
        self.optimizer.step()
        self.schedule.step()
        return losses.detach()

    def _losses(self, batch: Batch, targets: Tensor) -> Tensor:
        def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            forward = self._forward_of(weights, buffers)
            return batch_loss(forward, batch, targets, self.config.r_drop)

        return vmap(loss, randomness="same")(self.weights, self.buffers)

    def _clip(self) -> None:
        """Clip the gradient norm of each seed, as ``clip_grad_norm_`` does for one model."""
        gradients = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        norms = torch.stack([each.flatten(1).norm(dim=1) for each in gradients])
        norms = norms.norm(dim=0)  # (S,)
        shares = (self.config.clip_norm / (norms + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(shares.view(-1, *[1] * (gradient.dim() - 1)))

    def predict(self, split: LoadedSplit) -> np.ndarray:
        """Return the logits of each seed, float32 (S, N, C)."""
        self._skeleton.eval()

        def forward(
            inputs: Tensor, segments: Tensor, features: Tensor | None, lengths: Tensor
        ) -> Tensor:
            def one_seed(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
                return self._forward_of(weights, buffers)(inputs, segments, features, lengths)

            return vmap(one_seed)(self.weights, self.buffers)

        with torch.no_grad():
            return predict_with(forward, split)

    @torch.no_grad()
    def _write_back(self) -> None:
        for name, stacked in self.weights.items():
            for model, weight in zip(self.models, stacked, strict=True):
                model.get_parameter(name).copy_(weight)


def untrained_result(model: Classifier, validation: LoadedSplit) -> EpochResult:
    """Return the result of a model before its first epoch, as epoch 0."""
    loss, scores = validate(model, validation)
    return EpochResult(epoch=0, train_loss=loss, val_loss=loss, scores=scores, seconds=0.0)


def _advance(
    result: EpochResult, loss: float, logits: np.ndarray, validation: LoadedSplit
) -> EpochResult:
    """Return the result with this epoch's numbers; if one is not finite, marked as diverged."""
    if not (math.isfinite(loss) and np.isfinite(logits).all()):
        return replace(result, diverged=True)
    val_loss, scores = score_logits(validation, logits)
    return replace(result, train_loss=loss, val_loss=val_loss, scores=scores)
