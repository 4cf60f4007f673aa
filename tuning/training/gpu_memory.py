"""Measurement of the GPU memory that a trial needs, and its share of a GPU."""

from __future__ import annotations

import copy
import gc
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from models.batches import SplitArrays
from models.classifier import Classifier
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.training.builders import build_classifier
from tuning.training.epoch import batch_loss
from tuning.training.evaluation import predict
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.trainer import Trainer

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


def measure_share(trial: TrialConfig, inputs: SharedInputs) -> float:
    """Return the fraction of this machine's GPU that a trial needs, from a rehearsal of it.

    Memory that is taken when the measurement ends, as by this process, is not shared out.
    """
    peak = measure_peak_bytes(_own_classifier(trial, inputs), inputs.splits, trial)
    gc.collect()  # optimizer and schedule hold each other
    torch.cuda.empty_cache()
    free_bytes, _ = torch.cuda.mem_get_info()
    return gpu_share(peak, free_bytes)


def _own_classifier(trial: TrialConfig, inputs: SharedInputs) -> Classifier:
    """Return a classifier that can be moved to the GPU while the shared layers stay."""
    return build_classifier(trial, replace(inputs, lower=copy.deepcopy(inputs.lower)))


def measure_peak_bytes(
    model: Classifier, splits: Mapping[str, SplitArrays], config: TrialConfig
) -> int:
    """Rehearse a trial on the GPU; return the most bytes that the allocator reserved.

    Args:
        model: Classifier; moved to the GPU and trained, so not to be used again.
        splits: All splits that the trial holds.
        config: Configuration of the trial.
    """
    device = torch.device("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    loaded = {name: LoadedSplit(arrays, config, device) for name, arrays in splits.items()}
    rehearse(model.to(device), loaded, config)
    return torch.cuda.max_memory_reserved()


def rehearse(model: Classifier, splits: Mapping[str, LoadedSplit], config: TrialConfig) -> None:
    """Do all of a trial that takes memory, in a few steps: train, keep weights, predict.

    Args:
        model: Classifier on the splits' device; it is trained.
        splits: All splits that the trial holds.
        config: Configuration of the trial.
    """
    trainer = Trainer(model, splits["train"], splits["validation"], config)
    weights = model.trained_state().values()
    kept = [weight.clone() for weight in [*weights] * 2]  # before the first epoch, after the best
    model.train()
    for rows in batches_of_all_lengths(trainer.train.reader.lengths, config.batch_size):
        batch = trainer.train.reader.read(rows)
        targets = trainer.train.targets_of(rows)
        trainer.step(batch_loss(model, batch, targets, config.r_drop))
    for split in splits.values():
        predict(model, split)
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
