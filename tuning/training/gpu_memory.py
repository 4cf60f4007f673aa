"""Measurement of the GPU memory that a trial needs, and its share of a GPU."""

from __future__ import annotations

import copy
import gc
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from models.batches import SplitArrays
from models.classifier import Classifier
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.training.builders import build_classifier
from tuning.training.evaluation import predict
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.seeds import train_seeds
from tuning.training.stacked import StackedTrainer

_HEADROOM = 1.25  # the allocator's memory is the more fragmented the longer a training is
# What a process holds on a GPU besides its tensors: context, kernels, libraries. An H200 with
# CUDA 13 was measured: 852 MB.
_PROCESS_BYTES = 900 * 2**20
_SIDE_BY_SIDE = 8  # processes on one GPU: more were never measured
_LENGTHS = 8  # batches of so many different lengths are rehearsed
_DECIDE_MEMORY = ("batch_size", "head_width", "r_drop")  # fields of a trial


def largest_trial(prepared: Prepared, variant: TrialConfig) -> TrialConfig:
    """Return a trial that needs as much memory as any that shares a variant's inputs.

    It has the largest values of what decides memory, among these trials and in a search's space.
    """
    wanted, space = prepared.variant_of(variant), prepared.experiment.space
    trials = [trial for trial in prepared.trials if prepared.variant_of(trial) == wanted]
    largest = {
        name: max(
            *(getattr(trial, name) for trial in trials),
            *(space[name].ends if name in space else (0,)),
        )
        for name in _DECIDE_MEMORY
    }
    return trials[0].model_copy(update=largest)


def largest_trainings(prepared: Prepared, variant: TrialConfig) -> list[TrialConfig]:
    """Return what ``largest_trial`` trains at a time: a search's trial, all its seeds or folds."""
    trial, search = largest_trial(prepared, variant), prepared.experiment.search
    count = 1 if search is None else prepared.experiment.validation.folds or search.seeds
    return [
        trial.model_copy(update={"seed": seed, "order_seed": trial.order_seed or 0})
        for seed in range(count)
    ]


def measure_share(trainings: Sequence[TrialConfig], inputs: SharedInputs) -> float:
    """Return the fraction of this machine's GPU that a trial needs, from a rehearsal of it.

    Memory that is taken when the measurement ends, as by this process, is not shared out.

    Args:
        trainings: What the trial trains together: a configuration for each of its seeds.
        inputs: What the trial shares with others.
    """
    models = _own_classifiers(trainings, inputs)
    peak = measure_peak_bytes(models, inputs.splits, trainings[0])
    del models
    gc.collect()  # optimizer and schedule hold each other
    torch.cuda.empty_cache()
    free_bytes, _ = torch.cuda.mem_get_info()
    return gpu_share(peak, free_bytes)


def _own_classifiers(trainings: Sequence[TrialConfig], inputs: SharedInputs) -> list[Classifier]:
    """Return classifiers that can be moved to the GPU while the shared layers stay."""
    own = replace(inputs, lower=copy.deepcopy(inputs.lower))  # once: seeds share it
    return [build_classifier(trial, own) for trial in trainings]


def measure_peak_bytes(
    models: Sequence[Classifier], splits: Mapping[str, SplitArrays], config: TrialConfig
) -> int:
    """Rehearse a trial on the GPU; return the most bytes that the allocator reserved.

    Args:
        models: Classifier of each seed; moved to the GPU and trained, so not to be used again.
        splits: All splits that the trial holds.
        config: Configuration of the trial.
    """
    device = torch.device("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    loaded = {name: LoadedSplit(arrays, config, device) for name, arrays in splits.items()}
    rehearse([model.to(device) for model in models], loaded, config)
    return torch.cuda.max_memory_reserved()


def rehearse(
    models: list[Classifier], splits: Mapping[str, LoadedSplit], config: TrialConfig
) -> None:
    """Do all of a trial that takes memory, in a few steps: train, keep weights, predict.

    Args:
        models: Classifier of each seed, on the splits' device; they are trained.
        splits: All splits that the trial holds.
        config: Configuration of the trial, with ``order_seed`` where there are several seeds.
    """
    train = splits["train"]
    training = train_seeds(models, train, splits["validation"], config)
    weights = models[0].trained_state().values()  # one classifier's: a search's trial keeps none
    kept = [weight.clone() for weight in [*weights] * 2]  # before the first epoch, after the best
    for rows in batches_of_all_lengths(train.reader.lengths, config.batch_size):
        training.step(train.reader.read(rows), train.targets_of(rows))
    for split in splits.values():
        for model in models:
            predict(model, split)
    if isinstance(training, StackedTrainer):
        training.predict(splits["validation"])
    del kept


def batches_of_all_lengths(lengths: np.ndarray, size: int) -> list[np.ndarray]:
    """Return batches of rows from the longest to the shortest, and the longest again.

    Args:
        lengths: Numbers of tokens of the rows, int (rows,).
        size: Number of rows in a batch, at least 1; fewer if there are not so many.
    """
    order = (-lengths).argsort(kind="stable")
    last = max(0, len(order) - size)
    starts = [*np.linspace(0, last, _LENGTHS).astype(int), 0]
    return [order[start : start + size] for start in starts]


def gpu_share(peak_bytes: int, free_bytes: int) -> float:
    """Return the fraction of a GPU that a trial needs, as 1 / (trials that fit side by side).

    Args:
        peak_bytes: Most memory that the allocator of one trial reserves.
        free_bytes: Memory of the GPU that nothing else uses.
    """
    return 1 / max(1, math.floor(free_bytes / needed_bytes(peak_bytes)))


def spread_share(share: float, gpus: int, at_a_time: int) -> float:
    """Return the fraction of a GPU that each trial gets, so that all GPUs are used alike.

    Ray fills one GPU before it uses the next: with the smallest share that memory allows, all
    trials would train on the first.

    Args:
        share: Smallest fraction of a GPU that a trial's memory allows, as 1 / a whole number.
        gpus: Number of GPUs, at least 1.
        at_a_time: Number of trials that could run at a time, at least 1.
    """
    return 1 / min(round(1 / share), math.ceil(at_a_time / gpus), _SIDE_BY_SIDE)


def allocator_fraction(share: float, total_bytes: int) -> float:
    """Return the fraction of a GPU that the allocator of a trial may take.

    The process needs memory of its own beside it. A trial that has a GPU alone has no limit.

    Args:
        share: Fraction of the GPU that the trial was given.
        total_bytes: Memory of the GPU.
    """
    if share >= 1:
        return 1.0
    return max(share - _PROCESS_BYTES / total_bytes, share / 2)


def limit_memory(share: float) -> None:
    """Limit this process to its share of the GPU, so that it cannot take what is another's."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(allocator_fraction(share, total))


def needed_bytes(peak_bytes: int) -> float:
    """Return the bytes of a GPU that a trial's process needs, as predicted from its peak."""
    return peak_bytes * _HEADROOM + _PROCESS_BYTES
