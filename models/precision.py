"""The device and the number of threads to compute with on this machine, and a GPU's precision."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from models.number_formats import BFLOAT16, FLOAT16, FLOAT32, Precision

# largest error of a sum of 96 products of numbers up to 1; bfloat16's is a thousand times larger
_EXACT = 1e-4
_FAST_FLOAT16 = (7, 0)  # first capability whose tensor cores multiply in float16: V100, T4


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceProperties:
    """What a machine computes on: a GPU, or its processor.

    Attributes:
        kind: Type of device as torch names it, ``cpu`` or ``cuda``.
        name: Name of the GPU, or the machine type of the processor.
        torch_build: Version of torch with the part that names its build, as ``2.13.0+cpu``.
        capability: Major and minor number of a GPU's capability; (0, 0) for a processor.
        bfloat16: Whether a GPU has instructions for bfloat16; torch emulates it without them.
        architectures: Architectures that this torch has code for, as ``sm_80``.
        memory: Memory of a GPU in bytes; 0 for a processor.
        node: Id of the node in a cluster; empty outside of one.
    """

    kind: str
    name: str
    torch_build: str
    capability: tuple[int, int] = (0, 0)
    bfloat16: bool = False
    architectures: tuple[str, ...] = ()
    memory: int = 0
    node: str = ""


def describe_device(device: torch.device | None = None) -> DeviceProperties:
    """Return what a device is; by default the GPU if torch sees one, else the processor."""
    device = device or choose_device()
    build = str(torch.__version__)
    if device.type != "cuda":
        return DeviceProperties(kind=device.type, name=platform.machine(), torch_build=build)
    card = torch.cuda.get_device_properties(device)
    return DeviceProperties(
        kind=device.type,
        name=card.name,
        torch_build=build,
        capability=(card.major, card.minor),
        bfloat16=torch.cuda.is_bf16_supported(including_emulation=False),
        architectures=tuple(torch.cuda.get_arch_list()),
        memory=card.total_memory,
    )


def gpu_precision(device: DeviceProperties) -> Precision | None:
    """Return the number formats for a GPU; None for a processor, which is measured instead.

    bfloat16 where it is native. Before that, frozen layers compute in float16, which trained
    layers do not: their gradients would need scaling.
    """
    if device.kind != "cuda":
        return None
    if device.bfloat16:
        return Precision(BFLOAT16, BFLOAT16)
    return Precision(FLOAT16 if device.capability >= _FAST_FLOAT16 else FLOAT32, FLOAT32)


def choose_device() -> torch.device:
    """Return the GPU if torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_attention(kind: str) -> Literal["eager", "sdpa"]:
    """Return the implementation of attention for a type of device: on a CPU eager is faster."""
    return "sdpa" if kind == "cuda" else "eager"


def use_full_float32() -> None:
    """Let float32 mean float32 in this process: a GPU rounds to TensorFloat-32 nowhere.

    By default torch does so in cuDNN's LSTM alone, and nowhere else.
    """
    settings: Any = torch.backends  # it has no types
    settings.fp32_precision = "ieee"
    settings.cudnn.rnn.fp32_precision = "ieee"  # also where other code has set it alone


def use_fast_products() -> None:
    """Let a processor multiply float32 in oneDNN from now on, where ``has_fast_products`` says so.

    Torch's only setting for that also allows rounding to bfloat16. With it,
    ``torch.get_float32_matmul_precision`` raises an error: it knows settings of one kind alone.
    """
    if has_fast_products():
        settings: Any = torch.backends
        settings.mkldnn.matmul.fp32_precision = "bf16"


@cache
def has_fast_products() -> bool:
    """Return whether float32 is multiplied in oneDNN: faster than in MKL, and as exact.

    Torch takes MKL, which uses half the width of AMD's vectors of 512 bits. oneDNN rounds to
    bfloat16 if it is allowed to and a processor multiplies tiles (AMX): a product is looked at.
    Processors of other makers were not measured, and where torch sees a GPU, nothing is changed.
    """
    return choose_device().type == "cpu" and _made_by_amd() and _onednn_is_exact()


def _made_by_amd() -> bool:
    name = "AuthenticAMD"
    try:
        return name in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return name in platform.processor()


def _onednn_is_exact() -> bool:
    """Return whether a product of float32 has its precision although bfloat16 is allowed."""
    settings: Any = torch.backends
    before = settings.mkldnn.matmul.fp32_precision
    settings.mkldnn.matmul.fp32_precision = "bf16"
    one = torch.linspace(-1, 1, 64 * 96, dtype=torch.float32).sin().view(64, 96)
    two = torch.linspace(-2, 3, 96 * 32, dtype=torch.float32).cos().view(96, 32)
    error = (one @ two - one.double() @ two.double()).abs().max()
    settings.mkldnn.matmul.fp32_precision = before
    return error.item() < _EXACT


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
