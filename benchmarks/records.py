"""Records of measurements in benchmarks/results/, each with its machine and date."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def save_record(name: str, numbers: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write the numbers of one benchmark to ``NAME.json`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    content = {"machine": describe_machine(), "numbers": numbers}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def read_record(name: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Return what ``save_record`` wrote (``machine``, ``numbers``), or None without a record."""
    path = folder / f"{name}.json"
    return json.loads(path.read_bytes()) if path.is_file() else None


def describe_machine() -> dict[str, str]:
    """Return processor, cores, versions and date."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        **{package: _version(package) for package in ("torch", "ray", "transformers")},
        "date": datetime.now(UTC).date().isoformat(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Return the processor's name, and its instructions that speed up matrix products."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in found.items()}
    wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
            if flag in fields.get("flags", "").split()]  # fmt: skip
    return f"{fields.get('model name', 'unknown')} ({', '.join(wide)})"
