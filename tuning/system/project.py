"""The folder of this project, the data that ships in it, and its git commit."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = ROOT / "embedded"  # the small encoder and data set that ship with the code
_NO_CODE = (":(exclude)docs", ":(exclude)benchmarks/results", ":(exclude)*.md")


def git_commit(root: Path = ROOT) -> str:
    """Return the commit of a checkout, as 40 hexadecimal digits.

    A plus sign follows if code was changed since; guides and records of measurements are none.
    Without git the result is ``unknown``.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changed = commit and _git(root, "diff", "--name-only", "HEAD", "--", ".", *_NO_CODE)
    return f"{commit}+" if changed else commit or "unknown"


def _git(root: Path, *words: str) -> str:
    """Return what git prints in a folder, "" if it fails or there is none."""
    command = ["git", "-C", str(root), *words]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def activation() -> list[str]:
    """Return the line that lets ``python`` in the user's terminal be this one; none if it is."""
    script = Path(sys.prefix) / "bin/activate"
    if shutil.which("python") == sys.executable or not script.is_file():
        return []
    return [f"  . {shlex.quote(os.path.relpath(script))}"]
