"""Guards commands with a limit of time: one is interrupted, and killed if it goes on."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks import launches
from benchmarks.launches import OUTPUT, run_limited

CORES = sorted(os.sched_getaffinity(0))[:1]
STARTED = 4.0  # seconds in which a command is under way, also beside other tests
# in the background of a shell a command begins with Ctrl-C ignored
ASLEEP = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
time.sleep(60)
"""
DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def run(code: str, folder: Path, seconds: float) -> tuple[int | None, str]:
    # without site packages, so that it is under way at once
    found = run_limited([sys.executable, "-I", "-S", "-c", code], folder, seconds, CORES)
    return found, (folder / OUTPUT).read_text(encoding="utf-8")


def test_a_command_that_ends_has_its_exit_code_and_its_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    code = (
        "import os, sys; print(len(os.sched_getaffinity(0)), 'OMP_NUM_THREADS' in os.environ); "
        "sys.exit(3)"
    )
    assert run(code, tmp_path, 60) == (3, "1 False\n")


def test_a_command_beyond_its_time_is_interrupted(tmp_path: Path) -> None:
    code, output = run(ASLEEP, tmp_path, STARTED)
    assert code is None
    assert "KeyboardInterrupt" in output


def test_a_command_that_goes_on_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "_GRACE", 0.5)
    code, output = run(DEAF, tmp_path, STARTED)
    assert code is None
    assert not psutil.pid_exists(int(output)) or (
        psutil.Process(int(output)).status() == psutil.STATUS_ZOMBIE
    )
