"""Train the seeds of one configuration together: they share everything but their weights.

With a fully frozen encoder all seeds can be one stacked model, whose batches are gathered, and
whose dropout is drawn, once. Else, and on a CPU, they take turns in one process.

Shapes: S seeds, B rows in a batch, C classes, N pairs of a split.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from models.classifier import Classifier
from models.heads import BiLstmAttentionHead
from tuning.batches import Batch, shuffled_batches
from tuning.config import TrialConfig
from tuning.optimization import build_optimizer, build_schedule, start_order
from tuning.training import (
    EpochResult,
    Forward,
    LoadedSplit,
    batch_loss,
    draw_rows,
    fit,
    predict_with,
    score_logits,
    validate,
)


def fit_seeds(
    models: list[Classifier],
    train: LoadedSplit,
    validation: LoadedSplit,
    config: TrialConfig,
    *,
    stacked: bool | None = None,
) -> Iterator[list[EpochResult]]:
    """Train the models in place, yielding after each epoch what became of each.

    A seed that diverged keeps its last result while the others go on.

    Args:
        models: One a seed: the same configuration, other initial weights.
        train: What is learned from.
        validation: What each epoch is scored on.
        config: Must give ``order_seed``, which all seeds share.
        stacked: Whether to stack what can be stacked. By default on a GPU alone: on a CPU, whose
            matrix products take as long stacked, turns are faster (``benchmarks/seeds.py``).

    Raises:
        ValueError: If ``order_seed`` is not given.
    """
    if config.order_seed is None:
        raise ValueError("order_seed: must be given, since the seeds share order and dropout")
    if stacked is None:
        stacked = next(models[0].head_parameters()).is_cuda
    if stacked and can_stack(models):
        yield from Stack(models, config).fit(train, validation)
    else:
        yield from _take_turns([fit(model, train, validation, config) for model in models])


def can_stack(models: list[Classifier]) -> bool:
    """Return whether nothing of the encoder is run and the head is one that ``vmap`` takes."""
    encoder = any(m.lower is not None or len(list(m.encoder_parameters())) for m in models)
    return not encoder and not any(isinstance(m.head, BiLstmAttentionHead) for m in models)


def _take_turns(trainings: list[Iterator[EpochResult]]) -> Iterator[list[EpochResult]]:
    """Yield the results of all trainings epoch by epoch, each with random numbers of its own."""
    states: list[Tensor] = [torch.get_rng_state()] * len(trainings)
    last: list[EpochResult | None] = [None] * len(trainings)
    running = set(range(len(trainings)))
    while running:
        for seed in sorted(running):
            torch.set_rng_state(states[seed])
            result = next(trainings[seed], None)
            states[seed] = torch.get_rng_state()
            if result is None:
                running.discard(seed)
            else:
                last[seed] = result
        if running:
            yield [result for result in last if result is not None]


def untrained_result(model: Classifier, validation: LoadedSplit) -> EpochResult:
    """Return what is known of a model before its first epoch."""
    loss, scores = validate(model, validation)
    return EpochResult(epoch=0, train_loss=loss, val_loss=loss, scores=scores, seconds=0.0)


def _advance(
    result: EpochResult, loss: float, logits: np.ndarray, validation: LoadedSplit
) -> EpochResult:
    """Return the result with this epoch's loss and scores, or as it was and diverged."""
    if not (math.isfinite(loss) and np.isfinite(logits).all()):
        return replace(result, diverged=True)
    val_loss, scores = score_logits(validation.labels, logits)
    return replace(result, train_loss=loss, val_loss=val_loss, scores=scores)


class Stack:
    """Models of one configuration as a single one, every weight with a leading dimension S.

    Args:
        models: What is stacked; ``fit`` writes the trained weights back into them.
        config: Of all of them.
    """

    def __init__(self, models: list[Classifier], config: TrialConfig) -> None:
        self.models = models
        self.config = config
        self.weights, self.buffers = stack_module_state(models)  # pyright: ignore[reportArgumentType] - a sequence of modules
        self._skeleton = copy.deepcopy(models[0])

    def fit(self, train: LoadedSplit, validation: LoadedSplit) -> Iterator[list[EpochResult]]:
        """Train as ``training.fit`` does, all seeds at once; yield their results an epoch."""
        groups = [{"params": list(self.weights.values()), "lr": self.config.learning_rate}]
        optimizer = build_optimizer(groups, self.config)
        schedule = build_schedule(optimizer, train.pairs, self.config)
        generator = start_order(self.config)
        results = [untrained_result(model, validation) for model in self.models]
        for epoch in range(1, self.config.epochs + 1):
            started = time.perf_counter()
            losses = self._train_one_epoch(train, optimizer, schedule, generator)
            logits = self._predict(validation)  # (S, N, C)
            self._write_back()
            seconds = (time.perf_counter() - started) / len(self.models)
            for seed, before in enumerate(results):
                after = replace(before, epoch=epoch, seconds=seconds)
                if not before.diverged:
                    results[seed] = _advance(after, losses[seed], logits[seed], validation)
            yield list(results)
            if all(result.diverged for result in results):
                return

    def _one(self, weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Forward:
        """Return the forward pass of the seed with these weights."""

        def forward(inputs: Tensor, segments: Tensor, features: Tensor | None) -> Tensor:
            arguments = (inputs, segments, features)
            return functional_call(self._skeleton, (weights, buffers), arguments)

        return forward

    def _train_one_epoch(
        self,
        train: LoadedSplit,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        generator: np.random.Generator,
    ) -> list[float]:
        """Return the mean loss of each seed in nats per pair; not finite if it diverged."""
        self._skeleton.train()
        total = torch.zeros(len(self.models))
        rows = draw_rows(train, generator)
        size = self.config.batch_size
        for chosen in shuffled_batches(rows, train.reader.lengths, size, generator):
            batch = train.reader.read(chosen)
            losses = self._losses(batch, train.targets_of(batch))  # (S,)
            total += losses.detach().cpu() * len(chosen)
            optimizer.zero_grad(set_to_none=True)
            losses.sum().backward()
            self._clip()
            optimizer.step()
            schedule.step()
        return (total / train.pairs).tolist()

    def _losses(self, batch: Batch, targets: Tensor) -> Tensor:
        def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            return batch_loss(self._one(weights, buffers), batch, targets, self.config.r_drop)

        return vmap(loss, randomness="same")(self.weights, self.buffers)

    def _clip(self) -> None:
        """Shorten each seed's gradient to ``clip_norm``, as ``clip_grad_norm_`` does for one."""
        gradients = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)  # (S,)
        shares = (self.config.clip_norm / (norms + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(shares.view(-1, *[1] * (gradient.dim() - 1)))

    def _predict(self, split: LoadedSplit) -> np.ndarray:
        self._skeleton.eval()

        def forward(inputs: Tensor, segments: Tensor, features: Tensor | None) -> Tensor:
            seeds = (self.weights, self.buffers)
            return vmap(lambda w, b: self._one(w, b)(inputs, segments, features))(*seeds)

        with torch.no_grad():
            return predict_with(forward, split)

    @torch.no_grad()
    def _write_back(self) -> None:
        for name, stacked in self.weights.items():
            for model, weight in zip(self.models, stacked, strict=True):
                model.get_parameter(name).copy_(weight)
