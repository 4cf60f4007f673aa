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


def git_commit() -> str:
    """Return the commit of this checkout, as 40 hexadecimal digits.

    A plus sign follows if files were changed since; without git the result is ``unknown``.
    """
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"


def activation() -> list[str]:
    """Return the line that lets ``python`` in the user's terminal be this one; none if it is."""
    script = Path(sys.prefix) / "bin/activate"
    if shutil.which("python") == sys.executable or not script.is_file():
        return []
    return [f"  . {shlex.quote(os.path.relpath(script))}"]
