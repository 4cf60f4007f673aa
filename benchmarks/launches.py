"""Runs of commands in processes of their own, and the time, memory and disk that they take."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from measures.addresses import sqlite_url
from measures.objective import VALIDATION_F1
from tuning.system.project import ROOT

OUTPUT = "output.txt"  # of a command, in its folder
_GRACE = 120  # seconds in which an interrupted command may end by itself
_THREADS = "_NUM_THREADS"  # end of the variables that limit threads
_PAUSE = 0.25  # seconds between two readings of the memory
_WORKER = "ray::ImplicitFu"  # Ray's name of a trial's process, as the system truncates it


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """Costs of a command: its seconds, and the peak private bytes of it and of its largest worker.

    Private bytes are those that a process allocated for itself: states in Ray's object store and
    files that are mapped into memory are not counted.
    """

    seconds: float
    driver_bytes: int
    worker_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Costs of a grid: those of its command, and what its trials logged.

    ``first_step`` are the seconds from the start to the first training step, ``training`` those of
    each trial's epochs, ``scores`` each trial's validation F1 at its threshold, and
    ``disk_bytes`` the size of the files that the grid wrote.
    """

    watched: Watched
    first_step: float
    training: list[float]
    scores: list[float]
    disk_bytes: int


class CommandError(RuntimeError):
    """A measured command failed; the message ends with its output."""


def watch(words: list[str], folder: Path, cores: Sequence[int] = ()) -> Watched:
    """Run a command and return its costs.

    Args:
        words: Command and its arguments.
        folder: Working directory; the command's output goes to its output.txt.
        cores: Numbers of the cores that the command may use; all if none are given.

    Raises:
        CommandError: If the exit code is not 0.
    """
    started = time.monotonic()
    log = folder / OUTPUT
    with log.open("wb") as output:
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        if cores:
            os.sched_setaffinity(process.pid, cores)  # its child processes inherit it
        driver = worker = 0
        while process.poll() is None:
            driver = max(driver, _private_bytes(process.pid))
            workers = trial_processes(process.pid)
            worker = max([worker, *(_private_bytes(each.pid) for each in workers)])
            time.sleep(_PAUSE)
    if process.returncode:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise CommandError(f"{' '.join(words)}: exit code {process.returncode}\n{tail}")
    seconds = time.monotonic() - started
    return Watched(seconds=seconds, driver_bytes=driver, worker_bytes=worker)


def run_limited(
    words: list[str], folder: Path, seconds: float, cores: Sequence[int]
) -> int | None:
    """Run a command on some cores; return its exit code, None if it was interrupted.

    Its libraries take as many threads as there are cores, whatever the environment says.

    Args:
        words: Command and its arguments.
        folder: Working directory; the command's output goes to its output.txt.
        seconds: Time after which it is interrupted as by Ctrl-C.
        cores: Numbers of the cores that it may use.
    """
    plain = {name: text for name, text in os.environ.items() if not name.endswith(_THREADS)}
    with (folder / OUTPUT).open("wb") as output:
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT,
                                   env=plain)  # fmt: skip
        try:
            os.sched_setaffinity(process.pid, cores)
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a command as Ctrl-C does; kill it and its child processes if it goes on."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        children = psutil.Process(process.pid).children(recursive=True)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.kill()
        process.wait()
        psutil.wait_procs(children, timeout=_GRACE)


def _private_bytes(pid: int) -> int:
    """Return the private bytes of a process, 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def trial_processes(pid: int) -> list[psutil.Process]:
    """Return the trials' processes that a driver started; none while one of them ends."""
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [child for child in children if child.name().startswith(_WORKER)]
    except psutil.Error:
        return []


def grid_file(folder: Path, trial: dict[str, object], grid: dict[str, list[object]]) -> Path:
    """Write bench.yaml, an experiment called ``bench``, to ``folder`` and return its path."""
    path = folder / "bench.yaml"
    # without what only a report shows, and no other program does
    experiment = {"name": "bench", "occlusion": False, "trial": trial, "grid": grid}
    path.write_text(yaml.safe_dump(experiment), "utf-8")
    return path


def run_grid(
    folder: Path,
    trial: dict[str, object],
    grid: dict[str, list[object]],
    *words: str,
    python: tuple[str, ...] = (),
    output: Path | None = None,
    cores: Sequence[int] = (),
) -> Launch:
    """Run a grid in a process of its own and return its costs.

    Args:
        folder: Folder to create, for the log and the results.
        trial: Options that all trials share.
        grid: Options that vary, with their values.
        words: Further arguments of ``run_grid.py``.
        python: Arguments of Python itself.
        output: Folder for results and cached states, if another launch is to reuse the states.
        cores: Numbers of the cores that the grid may use; all if none are given.

    Raises:
        CommandError: If the grid fails or logs nothing.
    """
    folder.mkdir(parents=True)
    store, output = sqlite_url(folder / "log.db"), output or folder / "out"
    targets = ["--output", str(output), "--tracking-uri", store]
    script = [sys.executable, *python, str(ROOT / "tuning/run_grid.py")]
    began = time.time()
    watched = watch(
        [*script, str(grid_file(folder, trial, grid)), *targets, *words], folder, cores
    )
    first_step, training, scores = _logged(store)
    paths = {path for parent in (folder, output) for path in parent.rglob("*")}
    files = [path for path in paths if path.is_file() and path.stat().st_mtime >= began]
    return Launch(
        watched=watched,
        disk_bytes=sum(path.stat().st_size for path in files),
        first_step=first_step - began,
        training=training,
        scores=scores,
    )


def first_step_of(store: str) -> float:
    """Return the time of the first training step of the grid in a store, in seconds since 1970.

    Raises:
        CommandError: If the store has no grid.
    """
    return _logged(store)[0]


def _logged(store: str) -> tuple[float, list[float], list[float]]:
    """Return the time of the first step, each trial's training seconds, each trial's score."""
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("bench")
    if experiment is None:
        raise CommandError(f"{store}: has no experiment 'bench'")
    starts, training, scores = [], [], []
    for run in client.search_runs([experiment.experiment_id], "tags.kind = 'trial'"):
        epochs = _history(client, run.info.run_id, "while_training/seconds")
        starts.append(epochs[0].timestamp / 1000 - epochs[0].value)
        training.append(sum(epoch.value for epoch in epochs))
        scores.append(run.data.metrics[VALIDATION_F1])
    return min(starts), training, scores


def _history(client: MlflowClient, run_id: str, name: str) -> list[Metric]:
    """Return all logged values of a metric, by step."""
    return sorted(client.get_metric_history(run_id, name), key=lambda metric: metric.step)
