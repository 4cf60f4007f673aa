"""The device and the number of threads to compute with on this machine, and a GPU's precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.number_formats import BFLOAT16, FLOAT32


def gpu_precision() -> str | None:
    """Return the number format for the GPU that torch sees: bfloat16 if it is native there.

    Without a GPU the result is None.
    """
    if not torch.cuda.is_available():
        return None
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return BFLOAT16 if native else FLOAT32


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
