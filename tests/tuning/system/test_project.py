"""Guards the commit that is logged, and the line that lets printed commands work as they are."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tuning.system.project import activation, git_commit


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


def test_a_commit_has_a_plus_sign_where_code_was_changed(tmp_path: Path) -> None:
    assert git_commit(tmp_path / "absent") == "unknown"
    files = [tmp_path / name for name in ("README.md", "benchmarks/results/x.json", "a.py")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1", encoding="utf-8")
    identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    commit = git_commit(tmp_path)
    assert len(commit) == 40
    for file in files:
        file.write_text("2", encoding="utf-8")
        assert git_commit(tmp_path) == commit + ("+" if file.name == "a.py" else "")
