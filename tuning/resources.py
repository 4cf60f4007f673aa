"""What this machine or cluster gives a trial: precision, threads, a share of a GPU."""

from __future__ import annotations

import math

import torch

from models.batches import SplitArrays
from models.classifier import Classifier
from tuning.config import TrialConfig
from tuning.loaded_split import LoadedSplit
from tuning.optimization import build_optimizer, parameter_groups
from tuning.training import batch_loss

_HEADROOM = 1.25  # allocators fragment, and the longest batch may not have been the largest
_CONTEXT_BYTES = 600 * 2**20  # what a process holds on a GPU before its first tensor


def choose_precision(wanted: str) -> str:
    """Return ``bfloat16`` or ``float32``; ``auto`` asks whether the machine multiplies bfloat16.

    Without such instructions a CPU emulates them and is slower than in float32.
    """
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # torch has no public name for these two questions
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"


def gpu_share(peak_bytes: int, total_bytes: int) -> float:
    """Return the fraction of a GPU that a trial of this peak memory needs: 1 / whole number."""
    needed = peak_bytes * _HEADROOM + _CONTEXT_BYTES
    return 1 / max(1, math.floor(total_bytes / needed))


def measure_peak_bytes(model: Classifier, split: SplitArrays, config: TrialConfig) -> int:
    """Return the peak memory of one training step on the GPU, on the longest rows.

    ``model`` is trained by this step: give one that is thrown away.
    """
    device = torch.device("cuda")
    torch.cuda.reset_peak_memory_stats()
    model.to(device).train()
    loaded = LoadedSplit(split, config, device)
    optimizer = build_optimizer(parameter_groups(model, config), config)
    longest = (-loaded.reader.lengths).argsort()[: config.batch_size]
    batch = loaded.reader.read(longest)
    batch_loss(model, batch, loaded.targets_of(batch), config.r_drop).backward()
    optimizer.step()
    return torch.cuda.max_memory_allocated()
