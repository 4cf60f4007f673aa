"""What the parts of benchmarks/gpu.py share: device, data, encoders, amounts of work."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.inputs import random_distilbert
from benchmarks.machine import machine_precision, seconds_of
from models.classifier import Classifier
from tuning.config.experiment import TrialConfig
from tuning.config.loader import load_experiment
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import read_locations
from tuning.system.project import ROOT
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs
from tuning.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """How much the parts run.

    Attributes:
        matrix: Rows and columns of the multiplied matrices.
        copied: Bytes of a copy.
        epochs: Epochs of the grid's trials.
        timed: Epochs that are timed, after one that is not.
        members: Numbers of models in a stack.
        processes: Numbers of processes side by side, rising.
        side_by_side: Seconds that they train.
        copies: Copies of the pairs in the frozen pass.
        tokens: Tokens of a batch in the frozen pass that are tried beside the usual number.
        steps: Steps of pretraining.
        sequences: Sequences of such a step.
        wide: Whether pretraining also measures DistilBERT's size.
    """

    matrix: int = 8192
    copied: int = 2**30
    epochs: int = 5
    timed: int = 3
    members: tuple[int, ...] = (1, 3, 12)
    processes: tuple[int, ...] = (1, 2, 4, 8)
    side_by_side: float = 4.0
    copies: int = 10
    tokens: tuple[int, ...] = (8192, 16384, 32768, 131072)
    steps: int = 15
    sequences: int = 256
    wide: bool = True


FULL = Amounts()
SMALL = Amounts(
    matrix=64,
    copied=2**16,
    epochs=1,
    timed=1,
    members=(1, 2),
    processes=(1, 2),
    side_by_side=0.1,
    copies=2,
    tokens=(64,),
    steps=4,
    sequences=2,
    wide=False,
)


class Bench:
    """Device, data and encoders of a run, made when they are first asked for.

    Args:
        device: Device to measure.
        data: Data set, as for ``run_grid.py``.
        encoder: Folder of the large encoder; None for random weights of DistilBERT's size.
        amounts: How much each part runs.
        folder: Folder for encoder, cached states and saved models.
    """

    def __init__(
        self, device: torch.device, data: str, encoder: str | None, amounts: Amounts, folder: Path
    ) -> None:
        self.device, self.data, self.amounts, self.folder = device, data, amounts, folder
        self.deadline = float("inf")
        self._encoder = encoder
        self._inputs: dict[tuple[str, int], SharedInputs] = {}

    @property
    def left(self) -> float:
        """Return the seconds that are left of the run's time."""
        return self.deadline - time.monotonic()

    @cached_property
    def embedded(self) -> Prepared:
        """Return the assigned grid, prepared for the embedded encoder."""
        return assigned_grid(self.data, "embedded", self.amounts.epochs)

    @cached_property
    def large(self) -> Prepared:
        """Return the assigned grid, prepared for the large encoder."""
        folder = self._encoder or str(random_distilbert(self.folder / "distilbert"))
        return assigned_grid(self.data, folder, self.amounts.epochs)

    def inputs(self, prepared: Prepared, depth: int) -> SharedInputs:
        """Return the shared inputs of one depth; cached states are computed once."""
        key = (prepared.encoder.fingerprint, depth)
        if key not in self._inputs:
            trial = prepared.trials[0].model_copy(update={"freezing": depth})
            self._inputs[key] = build_inputs(prepared, trial, machine_precision(), self.folder)
        return self._inputs[key]

    def trial(self, prepared: Prepared, **changes: Any) -> TrialConfig:  # noqa: ANN401 - fields
        """Return the grid's first trial (AdamW, 0.001) with these changes, and an order seed."""
        return prepared.trials[0].model_copy(update={"order_seed": 0, **changes})

    def splits(self, inputs: SharedInputs, trial: TrialConfig) -> tuple[LoadedSplit, LoadedSplit]:
        """Return the train and the validation split on the device."""
        train, validation = (
            LoadedSplit(inputs.splits[name], trial, self.device)
            for name in ("train", "validation")
        )
        return train, validation

    def model(self, inputs: SharedInputs, trial: TrialConfig) -> Classifier:
        """Return a new classifier on the device."""
        return build_classifier(trial, inputs).to(self.device)

    def trainer(self, inputs: SharedInputs, trial: TrialConfig) -> Trainer:
        """Return the trainer of a new classifier."""
        return Trainer(self.model(inputs, trial), *self.splits(inputs, trial), trial)

    def milliseconds(self, train_epoch: Callable[[], object], pairs: int, batch: int) -> float:
        """Return the milliseconds of a training step: the median over some epochs.

        Args:
            train_epoch: Function that trains one epoch.
            pairs: Number of pairs of an epoch.
            batch: Number of pairs of a step.
        """
        train_epoch()
        seconds = [seconds_of(train_epoch, self.device) for _ in range(self.amounts.timed)]
        return 1000 * statistics.median(seconds) / -(-pairs // batch)

    def release(self) -> None:
        """Give the device's unused memory back."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def assigned_grid(data: str, encoder: str, epochs: int) -> Prepared:
    """Return the grid of experiments/grid.yaml, prepared for this data, encoder and epochs.

    Pairs are encoded together, as in the records of before; the parts have no cosine to give.
    """
    overrides = [f"epochs={epochs}", "min_steps=0", "encoding=pair"]
    assigned = load_experiment(ROOT / "experiments/grid.yaml", overrides)
    chosen = assigned.model_copy(update={"data": data, "encoder": encoder})
    return prepare(chosen, read_locations(), strict=True)
