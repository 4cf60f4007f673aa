"""Measurement of a machine's limits: operations and bytes per second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from models.number_formats import Precision
from models.precision import use_fast_products
from tuning.data.sources import read_locations
from tuning.system.machine import choose_precision

CPU = torch.device("cpu")
_SIZES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192)}  # of square matrices


def seconds_of(work: Callable[[], object], device: torch.device = CPU) -> float:
    """Return the seconds that the work takes, until the device has finished it."""
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def matrix_rate(
    precision: torch.dtype,
    repeats: int,
    device: torch.device = CPU,
    sizes: Sequence[int] | None = None,
) -> float:
    """Return the best operations per second of a large matrix product.

    Args:
        precision: Type of both matrices.
        repeats: Number of measurements for each size; the best counts.
        device: Device that multiplies.
        sizes: Rows and columns of the square matrices; by default some that suit the device.
    """
    rates = []
    for size in sizes or _SIZES[device.type]:
        one, two = (torch.randn(size, size, device=device).to(precision) for _ in range(2))
        multiply = partial(torch.matmul, one, two)
        seconds_of(multiply, device)
        rates += [2 * size**3 / seconds_of(multiply, device) for _ in range(repeats)]
    return max(rates)


def bandwidth(repeats: int) -> float:
    """Return the best bytes per second of a large copy on the CPU, read and written."""
    source = torch.ones(64 * 2**20)  # 256 MB, more than any cache
    target = torch.empty_like(source)
    moved = 2 * source.nbytes
    return max(moved / seconds_of(lambda: target.copy_(source)) for _ in range(repeats + 1))


def machine_precision() -> Precision:
    """Return the precision that a launch on this machine computes in."""
    return choose_precision("auto", read_locations().cache)


class Machine:
    """Limits of this machine's cores, each measured once for each number of threads.

    ``precision`` is the one that frozen layers use on this machine; here trained ones use it too.

    Args:
        repeats: Number of repeats of each measurement; the best counts.
    """

    def __init__(self, repeats: int) -> None:
        use_fast_products()
        self.repeats = repeats
        self.precision: torch.dtype = getattr(torch, machine_precision().frozen)
        self._known: dict[tuple[torch.dtype | str, int], float] = {}

    def matrix_rate(self, precision: torch.dtype, threads: int) -> float:
        """Return the best operations per second of a large matrix product; set torch's threads."""
        return self._measure(precision, threads, lambda: matrix_rate(precision, self.repeats))

    def bandwidth(self, threads: int) -> float:
        """Return bytes per second of a large copy, read and written; set torch's threads."""
        return self._measure("copy", threads, lambda: bandwidth(self.repeats))

    def floor(self, half: float, single: float, bytes_: float, threads: int) -> float:
        """Return the least seconds for the work: of all operations or of all bytes, the longer.

        Args:
            half: Number of operations in ``precision``.
            single: Number of operations in float32.
            bytes_: Number of bytes read or written.
            threads: Number of threads that the work uses.
        """
        multiplying = half / self.matrix_rate(self.precision, threads)
        multiplying += single / self.matrix_rate(torch.float32, threads)
        return max(multiplying, bytes_ / self.bandwidth(threads))

    def _measure(
        self, what: torch.dtype | str, threads: int, measure: Callable[[], float]
    ) -> float:
        if (what, threads) not in self._known:
            torch.set_num_threads(threads)
            self._known[what, threads] = measure()
        return self._known[what, threads]
