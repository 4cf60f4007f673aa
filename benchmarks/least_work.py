"""The least seconds of a grid's work by its operations, and the seconds that it takes alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.floor import Padded, epoch_of, real_share
from benchmarks.grid_timeline import Kind
from benchmarks.inputs import whole_encoder
from benchmarks.machine import CPU, Machine, machine_precision, seconds_of
from models.batches import shuffled_batches, sorted_batches
from models.frozen_pass import encode
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.training.builders import build_classifier, start_order
from tuning.training.epoch import draw_rows
from tuning.training.evaluation import validate
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs

_TOKENS = 4096  # of a batch that is not trained, on a CPU


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """Seconds of a piece of work: at the machine's rate of matrix products, and as it is done.

    ``floor`` counts operations on tokens alone, ``padding`` those on padding, and ``seconds`` are
    those that the work takes while nothing else runs.
    """

    floor: float
    padding: float
    seconds: float

    @property
    def beyond(self) -> float:
        """Return the seconds beyond operations at the machine's rate."""
        return self.seconds - self.floor - self.padding


def work_of(
    machine: Machine,
    make: Callable[[], Callable[[], object]],
    batches: Iterable[np.ndarray],
    threads: int = 1,
    padded: Padded = np.max,
) -> Work:
    """Return the seconds of some work.

    Args:
        machine: Machine whose rates give the floor.
        make: Function that returns the work, to be done once.
        batches: Numbers of tokens of the rows of each batch.
        threads: Number of threads that the work uses.
        padded: Function from a batch's lengths to the one that its rows are padded to.
    """
    share = real_share([*batches], padded)
    torch.set_num_threads(threads)
    run = make()
    with FlopCounterMode(display=False, depth=2) as counter:
        run()
    head = sum(counter.get_flop_counts().get("Classifier.head", {}).values())
    total = counter.get_total_flops()
    half = 0 if machine.precision == torch.float32 else total - head
    least = machine.floor(half, total - half, 0, threads)
    seconds = [seconds_of(make()) for _ in range(machine.repeats)]
    return Work(
        floor=least * share, padding=least * (1 - share), seconds=statistics.median(seconds)
    )


def pass_work(machine: Machine, prepared: Prepared, threads: int) -> list[Work]:
    """Return the work of the frozen layers on each split, all layers, once for each encoding."""
    found = []
    for encoding, encoded in prepared.encoded.items():
        frozen = whole_encoder(prepared, machine.precision, CPU, encoding)
        for table in encoded.splits.values():
            lengths = table.sequences.lengths
            batches = [lengths[rows] for rows in sorted_batches(lengths, _TOKENS)]
            run = partial(encode, frozen, table)
            found.append(work_of(machine, lambda run=run: run, batches, threads))
    return found


def kind_of(trial: TrialConfig) -> Kind:
    """Return what the time of a trial of the assigned grid depends on."""
    return str(trial.freezing), trial.optimizer


def trial_work(machine: Machine, prepared: Prepared, output: Path) -> dict[Kind, list[Work]]:
    """Return the work of a trial of each kind: an epoch, scoring of validation, and of test.

    Args:
        machine: Machine whose rates give the floor.
        prepared: Grid of the trials.
        output: Folder of results with the cached states.
    """
    found: dict[Kind, list[Work]] = {}
    inputs: dict[str, SharedInputs] = {}
    for trial in prepared.trials:
        kind, depth = kind_of(trial), str(trial.freezing)
        if kind in found:
            continue
        if depth not in inputs:
            inputs[depth] = build_inputs(prepared, trial, machine_precision(), output)
        found[kind] = _works(machine, inputs[depth], trial)
    return found


def _works(machine: Machine, inputs: SharedInputs, trial: TrialConfig) -> list[Work]:
    splits = {name: LoadedSplit(own, trial, CPU) for name, own in inputs.splits.items()}
    train = splits["train"]
    torch.set_num_threads(1)
    model = build_classifier(trial, inputs)

    def scoring(name: str) -> Work:
        split = splits[name]
        lengths = split.reader.lengths[: split.pairs * split.orders]
        batches = [lengths[rows] for rows in sorted_batches(lengths, _TOKENS)]
        padded = split.reader.padded
        return work_of(machine, lambda: lambda: validate(model, split), batches, padded=padded)

    def epoch() -> Callable[[], object]:
        return epoch_of(build_classifier(trial, inputs), train, trial)

    batches = _training_batches(train, trial)
    trained = work_of(machine, epoch, batches, padded=train.reader.padded)
    return [trained, scoring("validation"), scoring("test")]


def _training_batches(train: LoadedSplit, trial: TrialConfig) -> Sequence[np.ndarray]:
    """Return the numbers of tokens of the rows of each batch of an epoch."""
    generator, lengths = start_order(trial), train.reader.lengths
    rows = draw_rows(train, generator)
    return [lengths[own] for own in shuffled_batches(rows, lengths, trial.batch_size, generator)]
