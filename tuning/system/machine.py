"""This machine's processor, and how fast it computes: measured once and remembered in a file."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from models.number_formats import BFLOAT16, FLOAT32, Precision, Rates
from tuning.system.atomic_files import atomic_write_bytes

if TYPE_CHECKING:  # loads torch
    from models.precision import DeviceProperties

RATES_FILE = "machines.json"  # in the folder of the caches, for every machine that uses it
_PATIENCE = 30.0  # seconds to wait for another program that is measuring
_CPUINFO = Path("/proc/cpuinfo")
_CGROUP = Path("/sys/fs/cgroup")
_QUOTAS = (  # microseconds of a core in each period, and the period: version 2 and 1 of cgroups
    [_CGROUP / "cpu.max"],
    [_CGROUP / "cpu/cpu.cfs_quota_us", _CGROUP / "cpu/cpu.cfs_period_us"],
)
_NAMES = ("model name", "CPU part")  # of a processor, on x86 and on ARM
_DETAILS = ("cpu family", "model", "stepping", "flags", "Features", "CPU implementer")


def count_cores() -> int:
    """Return the number of processor cores that this program may use.

    A scheduler, ``taskset`` and the limits of a container leave it fewer than the machine has.
    """
    known = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return min([cores, *(limit for path in _QUOTAS if (limit := _read_quota(*path)))])


def _read_quota(*files: Path) -> int | None:
    """Return the cores that a container's limit amounts to; None if it has none."""
    try:
        quota, period = map(int, " ".join(file.read_text() for file in files).split())
    except (OSError, ValueError):  # "max" stands for no limit
        return None
    return max(1, quota // period) if quota > 0 else None


def describe_processor() -> str:
    """Return the processor's name as the operating system gives it."""
    found = _read_cpuinfo()
    names = (found[name] for name in _NAMES if name in found)
    return next(names, platform.processor() or platform.machine())


def _read_cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first core; nothing on other systems."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8").split("\n\n")[0]
    except (OSError, ValueError):
        return {}
    pairs = [line.partition(":") for line in first.splitlines()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def machine_key() -> str:
    """Return the name that the rates are remembered under: what they depend on, in words.

    Processors of one name differ in their instructions, so a hash of those is part of it.
    """
    found = _read_cpuinfo()
    details = "|".join(found.get(name, "") for name in _DETAILS)
    digest = hashlib.sha256(details.encode()).hexdigest()[:8]
    threads = os.environ.get("OMP_NUM_THREADS", "default")  # torch reads it too
    # see has_fast_products of models/precision.py, for which torch has to be loaded
    library = ", float32 in oneDNN" if found.get("vendor_id") == "AuthenticAMD" else ""
    return (
        f"{describe_processor()} ({digest}), {count_cores()} cores, threads {threads}, "
        f"torch {version('torch')}{library}"
    )


def recall_rates(folder: Path) -> Rates | None:
    """Return the rates of this machine that the folder remembers; None if there are none.

    A file that is missing, damaged or not readable remembers nothing.
    """
    entry = _read(folder / RATES_FILE).get(machine_key())
    if not isinstance(entry, dict) or not all(
        isinstance(entry.get(kind), dict) and _is_rate(entry[kind].get(name))
        for kind in ("frozen", "trained")
        for name in (FLOAT32, BFLOAT16)
    ):
        return None
    return Rates(frozen=entry["frozen"], trained=entry["trained"])


def forget_rates(folder: Path) -> None:
    """Remove this machine's rates from the folder, so that the next launch measures anew."""
    path = folder / RATES_FILE
    known = _read(path)
    if known.pop(machine_key(), None) is not None:
        _write(path, known)


def _write(path: Path, known: Mapping[str, Any]) -> None:
    """Write what is remembered, unless the folder cannot be written."""
    with suppress(OSError):
        atomic_write_bytes(path, json.dumps(known, indent=1).encode() + b"\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_rate(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0


def load_or_measure(folder: Path) -> Rates:
    """Return this machine's rates: those remembered, else measured now and remembered.

    They are measured once, so that noise cannot change a choice between two launches; only in a
    folder that cannot be written they are measured each time.

    Args:
        folder: Folder of the caches; made if absent.

    Raises:
        RuntimeError: If nothing can be measured.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{RATES_FILE}.lock", timeout=_PATIENCE):
            return recall_rates(folder) or _measure(folder)
    except OSError:
        return recall_rates(folder) or _measure(folder)


def _measure(folder: Path) -> Rates:
    from models.speed import measure_rates  # loads torch

    rates, path = measure_rates(), folder / RATES_FILE
    entry = {"frozen": dict(rates.frozen), "trained": dict(rates.trained)}
    _write(path, {**_read(path), machine_key(): entry})
    return rates


def choose_precision(
    wanted: str,
    folder: Path,
    report: Callable[[str], object] = lambda sentence: None,
    device: DeviceProperties | None = None,
) -> Precision:
    """Return the precision to compute in: as wanted; for ``auto`` what this machine does faster.

    A GPU's is its own: ``models.precision.gpu_precision``. A machine that cannot be measured gets
    float32.

    Args:
        wanted: ``auto``, ``float32`` or ``bfloat16``.
        folder: Folder of the caches, where the machine's rates are remembered.
        report: Called with a sentence if the machine could not be measured.
        device: What is computed on; by default this machine's GPU if it has one.
    """
    if wanted != "auto":
        return Precision(wanted, wanted)
    from models.precision import describe_device, gpu_precision  # loads torch

    of_gpu = gpu_precision(device or describe_device())
    if of_gpu is not None:
        return of_gpu
    try:
        return load_or_measure(folder).choose()
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        report(f"this machine's speed could not be measured ({reason}); it computes in float32")
        return Precision(FLOAT32, FLOAT32)


def device_record(device: DeviceProperties, gpus: int = 0) -> dict[str, Any]:
    """Return what numbers depend on beside their inputs, as a saved model's card has it.

    Args:
        device: Device that was computed on.
        gpus: Number of GPUs that the frozen layers ran on, each with a part of the texts.
    """
    from models.precision import choose_attention, has_fast_products  # loads torch

    if device.kind == "cuda":
        name, parts, library = device.name, max(1, gpus), {}
    else:
        name, parts = describe_processor(), count_cores()
        library = {"float32": "oneDNN"} if has_fast_products() else {}
    return {
        "name": name,
        "parts": parts,
        "attention": choose_attention(device.kind),
        "torch": device.torch_build,
        **library,
    }


def describe_rates(rates: Rates) -> str:
    """Return what was measured and what follows from it, as a phrase for plans and notices."""
    chosen = rates.choose()
    return (
        f"{chosen.frozen} for frozen layers ({_compare(rates.frozen, chosen.frozen)}), "
        f"{chosen.trained} for trained ones ({_compare(rates.trained, chosen.trained)} on a core)"
    )


def _compare(rates: Mapping[str, float], chosen: str) -> str:
    other = FLOAT32 if chosen == BFLOAT16 else BFLOAT16
    return f"measured: {_giga(rates[chosen])} GFLOP/s; {other} {_giga(rates[other])}"


def _giga(rate: float) -> str:
    return f"{rate / 1e9:.0f}" if rate >= 1e10 else f"{rate / 1e9:.1f}"
