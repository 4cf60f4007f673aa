"""Guards the line that makes printed commands work in the user's terminal."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tuning.system.project import activation


def test_without_the_environment_the_first_line_activates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (Path(sys.prefix) / "bin/activate").is_file():
        pytest.skip("this Python is in no virtual environment")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    (line,) = activation()
    shell = f"{line}\nexec python -c 'import sys; print(sys.executable)'"
    ended = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert Path(ended.stdout.strip()).samefile(sys.executable)
    assert line == f"  . {shlex.quote(os.path.relpath(Path(sys.prefix) / 'bin/activate'))}"


def test_in_the_environment_no_line_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert activation() == []
