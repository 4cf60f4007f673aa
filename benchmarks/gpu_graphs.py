"""A part of benchmarks/gpu.py that tries training steps as captured CUDA graphs.

A step's forward and backward pass is captured once for each padded length and replayed with one
launch; the tuner itself does not do this. Shapes: B rows in a batch, T tokens per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu_bench import Bench
from models.batches import Batch
from tuning.config.experiment import TrialConfig
from tuning.training.epoch import EpochLoss, batch_loss, epoch_batches
from tuning.training.inputs import SharedInputs
from tuning.training.trainer import Trainer

_MULTIPLE = 16  # lengths are padded to multiples of so many tokens, so that few graphs do
_WARM_UPS = 3  # passes before a capture, in which libraries choose their kernels


@dataclass(frozen=True, kw_only=True, slots=True)
class Captured:
    """A captured pass: the tensors it reads, its loss, and its clipped gradients by weight."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    targets: Tensor
    loss: Tensor
    gradients: list[Tensor | None]

    def run(self, batch: Batch, targets: Tensor) -> Tensor:
        """Replay the pass for a batch of as many rows, and return its loss."""
        length = batch.segments.shape[1]
        self.batch.inputs[:, :length].copy_(batch.inputs)
        self.batch.segments.zero_()  # all padding
        self.batch.segments[:, :length].copy_(batch.segments)
        self.targets.copy_(targets)
        self.graph.replay()
        return self.loss.clone()


class CapturedTraining:
    """Trains epochs of a trainer with captured passes; batches of fewer rows run as usual.

    Args:
        trainer: Trainer on a GPU of a classifier that reads cached states.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.weights = [w for group in trainer.optimizer.param_groups for w in group["params"]]
        self.by_length: dict[int, Captured] = {}

    def train_epoch(self) -> tuple[float, bool]:
        """Train on each pair once; return the mean loss, and whether a loss was not finite."""
        trainer, size = self.trainer, self.trainer.config.batch_size
        trainer.model.train()
        losses = EpochLoss(trainer.device)
        for batch, targets in epoch_batches(trainer.train, size, trainer.generator):
            if len(targets) < size:
                losses.add(self._as_usual(batch, targets), len(targets))
                continue
            captured = self._captured(batch, targets)
            losses.add(captured.run(batch, targets), size)
            for weight, gradient in zip(self.weights, captured.gradients, strict=True):
                weight.grad = gradient
            trainer.optimizer.step()
            trainer.schedule.step()
        return losses.result()

    def _as_usual(self, batch: Batch, targets: Tensor) -> Tensor:
        """Train a step and return its loss without history, which would disturb a capture."""
        loss = self._loss(batch, targets)
        self.trainer.step(loss)
        return loss.detach()

    def _loss(self, batch: Batch, targets: Tensor) -> Tensor:
        return batch_loss(self.trainer.model, batch, targets, self.trainer.config.r_drop)

    def _captured(self, batch: Batch, targets: Tensor) -> Captured:
        length = -(-batch.segments.shape[1] // _MULTIPLE) * _MULTIPLE
        if length not in self.by_length:
            self.by_length[length] = self._capture(_padded(batch, length), targets.clone())
        return self.by_length[length]

    def _capture(self, batch: Batch, targets: Tensor) -> Captured:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                self._pass(batch, targets)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        self.trainer.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            loss = self._pass(batch, targets)
        return Captured(
            graph=graph,
            batch=batch,
            targets=targets,
            loss=loss,
            gradients=[weight.grad for weight in self.weights],
        )

    def _pass(self, batch: Batch, targets: Tensor) -> Tensor:
        """Leave the clipped gradients in the weights; return the loss without its history."""
        self.trainer.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(batch, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, self.trainer.config.clip_norm)
        return loss.detach()


def _padded(batch: Batch, length: int) -> Batch:
    """Return a copy of the batch with rows of this length."""
    more = length - batch.segments.shape[1]
    return Batch(
        rows=batch.rows,
        inputs=nn.functional.pad(batch.inputs, (0, 0, 0, more)).clone(),
        segments=nn.functional.pad(batch.segments, (0, more)).clone(),
        lengths=batch.lengths,
    )


def captured(bench: Bench) -> dict[str, Any]:
    """Return milliseconds a step with and without captured passes, and how far losses differ.

    ``apart`` is the difference of the mean losses of two epochs without dropout: rounding alone.
    """
    prepared, numbers = bench.large, {}
    layers = prepared.encoder.layers
    for depth in (layers, max(layers - 2, 0)):
        inputs = bench.inputs(prepared, depth)
        trial = bench.trial(prepared, freezing=depth)
        found: dict[str, Any] = {}
        found["as_usual"] = _milliseconds(bench, bench.trainer(inputs, trial))
        training = CapturedTraining(bench.trainer(inputs, trial))
        found["captured"] = _milliseconds(bench, training)
        found["lengths"] = sorted(training.by_length)
        numbers[f"trained_{layers - depth}"] = found
        bench.release()
    inputs = bench.inputs(prepared, layers)
    trial = bench.trial(prepared, freezing="all", dropout=0.0)
    return {**numbers, "apart": _apart(bench, inputs, trial)}


def _milliseconds(bench: Bench, training: Trainer | CapturedTraining) -> float:
    trainer = training.trainer if isinstance(training, CapturedTraining) else training
    size = trainer.config.batch_size
    return bench.milliseconds(training.train_epoch, trainer.train.pairs, size)


def _apart(bench: Bench, inputs: SharedInputs, trial: TrialConfig) -> list[float]:
    usual = bench.trainer(inputs, trial)
    graphs = CapturedTraining(bench.trainer(inputs, trial))
    return [abs(usual.train_epoch()[0] - graphs.train_epoch()[0]) for _ in range(2)]
