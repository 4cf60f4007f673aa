"""What a check of this machine found, and the checks of its versions, folders and memory."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from measures.passwords import hide_passwords
from tuning.system.machine import count_cores, describe_processor
from tuning.system.project import ROOT, git_commit

PACKAGES = (
    "torch", "transformers", "tokenizers", "safetensors", "ray", "mlflow", "optuna", "numpy",
    "pandas", "scikit-learn", "pydantic", "huggingface_hub",
)  # fmt: skip
_SHOWN = (
    "CUDA_VISIBLE_DEVICES", "HF_ENDPOINT", "HF_HOME", "HF_HUB_OFFLINE",
    "MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS", "PARADE_DIR", "PARADE_URL",
    "RAY_ADDRESS", "RAY_TMPDIR", "TMPDIR", "XDG_CACHE_HOME",
)  # fmt: skip
_HIDDEN = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
)  # fmt: skip
_USER = re.compile(r"(://)[^/@\s]+@")  # a name alone may be a token
_LEAST_BYTES, _FEW_BYTES = 200e6, 2e9  # free space: a grid cannot run; a notice
_SHARED_BYTES = 500e6  # of memory for the states that trials share


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the page.

    Attributes:
        name: What was looked at.
        text: What was found.
        way_out: What the user can do about it; empty if all is well.
        stops: Whether a grid could not run.
    """

    name: str
    text: str
    way_out: str = ""
    stops: bool = False


def hide_secrets(text: str) -> str:
    """Return the text without passwords, names of users in URLs, and the home folder's name."""
    text = _USER.sub(r"\1***@", hide_passwords(text))
    home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111 - without a home no error
    for folder in {home, os.path.realpath(home)} - {"", "~"}:
        text = re.sub(rf"{re.escape(folder)}(?![\w.-])", "~", text)
    return text


def check_versions() -> list[Finding]:
    """Return the commit, the Python and the versions of the packages."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    way_out = f"missing: {', '.join(missing)}; pip install -e . installs them" if missing else ""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return [
        Finding(name="commit", text=git_commit()),
        Finding(name="Python", text=f"{platform.python_version()} on {system}"),
        Finding(
            name="packages", text=", ".join(found) or "none", way_out=way_out, stops=bool(missing)
        ),
    ]


def check_hardware() -> list[Finding]:
    """Return the processor and the memory, also that which processes share."""
    memory = psutil.virtual_memory()
    found = [
        Finding(name="processor", text=f"{describe_processor()}, {count_cores()} cores"),
        Finding(
            name="memory", text=f"{_giga(memory.total)}, {_giga(memory.available)} of it available"
        ),
    ]
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return found
    free = shutil.disk_usage(shared).free
    way_out = ""
    if free < _SHARED_BYTES:
        way_out = "Ray shares states there, else slowly on disk; in a container: --shm-size=2g"
    text = f"{_giga(free)} free in {shared}"
    return [*found, Finding(name="shared", text=text, way_out=way_out)]


def check_folder(name: str, folder: Path, way_out: str, *, needed: bool) -> Finding:
    """Return whether a folder, or the one that it would be made in, is writable, and its space.

    Args:
        name: What the folder is for.
        folder: Folder, which may be absent.
        way_out: How to use another folder.
        needed: Whether a grid cannot run without it.
    """
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
    except OSError as error:
        reason = f"cannot be written: {error.strerror or error}"
        return Finding(name=name, text=f"{folder}: {reason}", way_out=way_out, stops=needed)
    text = f"{folder}: writable, {_giga(free)} free"
    if free > _FEW_BYTES:
        return Finding(name=name, text=text)
    few = f"free some space, or {way_out}"
    return Finding(name=name, text=text, way_out=few, stops=needed and free < _LEAST_BYTES)


def check_environment() -> Finding:
    """Return the environment variables that change what the commands do; secrets by name alone."""
    shown = [f"{name}={os.environ[name]}" for name in _SHOWN if name in os.environ]
    hidden = [f"{name} is set" for name in _HIDDEN if name in os.environ]
    return Finding(name="environment", text=", ".join([*shown, *hidden]) or "nothing set")


def project_folder() -> Finding:
    """Return where the project lies."""
    return Finding(name="project", text=str(ROOT))


def _giga(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
