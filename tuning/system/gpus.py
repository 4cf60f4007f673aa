"""The check of torch and of the GPUs that it sees, in a process of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuning.system.findings import Finding

if TYPE_CHECKING:  # loads torch
    from models.precision import DeviceProperties

_SECONDS = 120.0  # to import torch, on a slow disk too
_PROGRAM = """
import json, torch
cards = []
if torch.cuda.is_available():
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        cards.append([card.name, card.total_memory, [card.major, card.minor]])
print(json.dumps({"cards": cards, "architectures": torch.cuda.get_arch_list()}))
"""
_ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)[a-z]?$")


def check_gpus(seconds: float = _SECONDS) -> list[Finding]:
    """Return a finding for torch if it cannot be loaded, else one for each GPU, or for none.

    Args:
        seconds: Longest wait for torch.
    """
    command = [sys.executable, "-c", _PROGRAM]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return [_broken(f"was not loaded within {seconds:g} seconds")]
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        return [_broken(lines[-1] if lines else f"exit code {ended.returncode}")]
    found = json.loads(ended.stdout.splitlines()[-1])
    if not found["cards"]:
        return [_no_gpu()]
    return [describe_gpu(card, found["architectures"]) for card in found["cards"]]


def _broken(reason: str) -> Finding:
    way_out = "install it again: pip install --force-reinstall torch"
    return Finding(name="torch", text=f"cannot be loaded: {reason}", way_out=way_out, stops=True)


def _no_gpu() -> Finding:
    if shutil.which("nvidia-smi") is None:
        return Finding(name="GPU", text="none; trials run on cores")
    return Finding(
        name="GPU",
        text="torch sees none, though NVIDIA's driver is installed; trials run on cores",
        way_out="install a torch with CUDA for this driver (https://pytorch.org), and look at "
        "CUDA_VISIBLE_DEVICES",
    )


def describe_gpu(card: Sequence[object], architectures: Sequence[str]) -> Finding:
    """Return a GPU's name and memory, and whether this torch has code for its architecture.

    Args:
        card: Name, memory in bytes, and capability as major and minor number.
        architectures: Architectures that torch was built for, as ``sm_80`` or ``compute_90``.
    """
    name, memory, (major, minor) = card  # pyright: ignore[reportGeneralTypeIssues] - from JSON
    text = f"{name}, {float(str(memory)) / 1e9:.1f} GB, sm_{major}{minor}"
    if is_supported((int(major), int(minor)), architectures):
        return Finding(name="GPU", text=f"{text}, supported by this torch")
    known = ", ".join(architectures) or "none"
    return Finding(
        name="GPU",
        text=f"{text}: this torch has code for {known} alone",
        way_out="install a torch for this GPU, or hide it with CUDA_VISIBLE_DEVICES=-1",
        stops=True,
    )


def refuse_gpu(device: DeviceProperties, precision: str) -> str | None:
    """Return why nothing can be computed on a GPU as asked, with the way out; None if it can.

    Args:
        device: GPU, or a processor, which is never refused.
        precision: ``auto``, or the number format that the experiment asks for.
    """
    if device.kind != "cuda":
        return None
    if not is_supported(device.capability, device.architectures):
        major, minor = device.capability
        known = ", ".join(device.architectures) or "none"
        return (
            f"{device.name}, sm_{major}{minor}: torch {device.torch_build} has code for {known} "
            "alone; install a torch for this GPU, or hide it with CUDA_VISIBLE_DEVICES=-1"
        )
    if precision == "bfloat16" and not device.bfloat16:
        return (
            f"precision: bfloat16: {device.name} has no instructions for it and would emulate "
            "them slowly; auto chooses what it has"
        )
    return None


def is_supported(capability: tuple[int, int], architectures: Sequence[str]) -> bool:
    """Return whether code for one of the architectures runs on a GPU of this capability.

    Machine code (``sm``) runs on the same major number from its minor number on, code that the
    driver translates (``compute``) on everything later.
    """
    for name in architectures:
        match = _ARCHITECTURE.match(name)
        if match is None:
            continue
        built = (int(match[2]), int(match[3]))
        newer = built <= capability
        if newer and (match[1] == "compute" or built[0] == capability[0]):
            return True
    return False
