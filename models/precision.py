"""The device, the precision and the number of threads to compute with on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def choose_precision(wanted: str) -> str:
    """Return ``bfloat16`` or ``float32``: as wanted, or for ``auto`` what suits this machine.

    That is bfloat16 if it has instructions for it: a CPU without them is slower than in float32.
    """
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # torch has no public functions for these two checks
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"


def choose_device() -> torch.device:
    """Return the GPU if torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def single_thread() -> Iterator[None]:
    """Set torch to one thread, as in a trial, so that sums are added up in the same order.

    The number of threads is restored at the end.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
