"""Measurement of the GPU memory that a trial needs, and its share of a GPU."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch

from models.batches import SplitArrays
from models.classifier import Classifier
from tuning.config.experiment import TrialConfig
from tuning.training.builders import build_classifier, build_optimizer, parameter_groups
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.trainer import batch_loss

_HEADROOM = 1.25  # allocators fragment, and the longest batch may not need the most memory
_CONTEXT_BYTES = 600 * 2**20  # what a process holds on a GPU before its first tensor


def measure_share(trial: TrialConfig, inputs: SharedInputs) -> float:
    """Return the fraction of this machine's GPU that a trial needs, from a training step."""
    frozen = copy.deepcopy(inputs.lower)  # is moved to the GPU; the shared one stays
    model = build_classifier(trial, replace(inputs, lower=frozen))
    peak = measure_peak_bytes(model, inputs.splits["train"], trial)
    share = gpu_share(peak, torch.cuda.get_device_properties(0).total_memory)
    torch.cuda.empty_cache()
    return share


def measure_peak_bytes(model: Classifier, split: SplitArrays, config: TrialConfig) -> int:
    """Train one step on the longest rows, and return its peak memory on the GPU in bytes.

    Args:
        model: Classifier; moved to the GPU and changed by the step, so not to be used again.
        split: Training split.
        config: Configuration of the trial.
    """
    device = torch.device("cuda")
    torch.cuda.reset_peak_memory_stats()
    model.to(device).train()
    loaded = LoadedSplit(split, config, device)
    optimizer = build_optimizer(parameter_groups(model, config), config)
    longest = (-loaded.reader.lengths).argsort()[: config.batch_size]
    batch = loaded.reader.read(longest)
    batch_loss(model, batch, loaded.targets_of(longest), config.r_drop).backward()
    optimizer.step()
    return torch.cuda.max_memory_allocated()


def gpu_share(peak_bytes: int, total_bytes: int) -> float:
    """Return the fraction of a GPU that a trial needs, as 1 / (trials that fit side by side).

    Args:
        peak_bytes: Peak memory of one trial.
        total_bytes: Memory of the GPU.
    """
    return 1 / max(1, math.floor(total_bytes / needed_bytes(peak_bytes)))


def needed_bytes(peak_bytes: int) -> float:
    """Return the bytes of a GPU that a trial's process needs, as predicted from its peak."""
    return peak_bytes * _HEADROOM + _CONTEXT_BYTES
