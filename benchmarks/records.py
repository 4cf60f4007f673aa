"""Records of measurements in benchmarks/results/, each with its commit, machine and date."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tuning.system.project import ROOT, git_commit

RESULTS = Path(__file__).resolve().parent / "results"
UNFINISHED = "unfinished"  # in a record of a part of a benchmark
PACKAGES = ("torch", "ray", "transformers")


def save_record(
    name: str, numbers: Mapping[str, Any], folder: Path = RESULTS, *, whole: bool = True
) -> Path:
    """Write what a benchmark measured here and now to ``NAME.json`` and return its path.

    Args:
        name: Name of the record.
        numbers: What was measured.
        folder: Folder with the records.
        whole: Whether that is all; a part is kept if the benchmark is interrupted.
    """
    script = os.path.relpath(sys.argv[0], ROOT)
    content = {
        "commit": git_commit(),
        "command": without_places(shlex.join(["python", script, *sys.argv[1:]])),
        "machine": describe_machine(),
        "numbers": numbers,
        **({} if whole else {UNFINISHED: True}),
    }
    return write_record(name, content, folder)


def write_record(name: str, content: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write a whole record, with each innermost list or object on one line.

    Args:
        name: Name of the record.
        content: ``commit``, ``command``, ``machine`` and ``numbers``.
        folder: Folder with the records; created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    text = json.dumps(content, indent=1)  # a text in it holds no line break
    text = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda found: re.sub(r"\n\s*", " ", found[0]), text)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_record(name: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Return what ``write_record`` wrote, or None without a record of that name.

    The lines of ``gpu.py`` in ``NAME.jsonl`` become ``numbers``, by the names of their parts.
    """
    path = folder / f"{name}.json"
    if path.is_file():
        return json.loads(path.read_bytes())
    lines = path.with_suffix(".jsonl")
    if not lines.is_file():
        return None
    parts = [json.loads(line) for line in lines.read_bytes().splitlines()]
    return {"numbers": {part["part"]: part["numbers"] for part in parts}}


def without_places(command: str) -> str:
    """Return a command without the options that name places, and with FOLDER for its data."""
    command = re.sub(r" --(?:output|tracking-uri)[ =]\S+| --(?:resume|overwrite)\b", "", command)
    return re.sub(r"(--data[ =])(?!embedded)\S+", r"\1FOLDER", command)


def describe_machine() -> dict[str, str]:
    """Return processor, cores, versions and date."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
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
