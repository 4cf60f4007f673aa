"""Run a command as a user does, and watch what it takes: time, memory, bytes on disk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from tuning.system.project import ROOT

_PAUSE = 0.25  # seconds between two looks at the memory
_WORKER = "ray::ImplicitFu"  # what Ray calls a trial's process; the system cuts it here


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What a command took: seconds to its end, peak private bytes of it and of its largest worker.

    Private is what a process allocated for itself: states in Ray's store and files that are mapped
    into memory are not counted.
    """

    seconds: float
    driver_bytes: int
    worker_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A grid that ran: what it took, seconds from start to first step, what its trials logged.

    ``training`` are the seconds that each trial's epochs took, ``scores`` its validation F1 at the
    best threshold.
    """

    watched: Watched
    first_step: float
    training: list[float]
    scores: list[float]
    disk_bytes: int


class CommandError(RuntimeError):
    """A command that was to be measured failed; the message ends with what it printed."""


def watch(words: list[str], folder: Path, cores: Sequence[int] = ()) -> Watched:
    """Return what a command took that runs in ``folder``, on these cores alone if any are given.

    Raises:
        CommandError: If it ends with another exit code than 0.
    """
    started = time.monotonic()
    log = folder / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        if cores:
            os.sched_setaffinity(process.pid, cores)  # what it starts inherits it
        driver = worker = 0
        while process.poll() is None:
            driver = max(driver, _private_bytes(process.pid))
            worker = max([worker, *(_private_bytes(pid) for pid in _workers(process.pid))])
            time.sleep(_PAUSE)
    if process.returncode:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise CommandError(f"{' '.join(words)}: exit code {process.returncode}\n{tail}")
    seconds = time.monotonic() - started
    return Watched(seconds=seconds, driver_bytes=driver, worker_bytes=worker)


def _private_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # it has ended
        return 0
    found = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def _workers(pid: int) -> list[int]:
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [child.pid for child in children if child.name().startswith(_WORKER)]
    except psutil.Error:
        return []


def grid_file(folder: Path, trial: dict[str, object], grid: dict[str, list[object]]) -> Path:
    """Return a YAML file with an experiment called ``bench``."""
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump({"name": "bench", "trial": trial, "grid": grid}), "utf-8")
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
    """Return what running a grid in a process of its own took.

    Args:
        folder: An empty folder for its log and results.
        trial: What its trials have in common.
        grid: What varies.
        words: Further arguments of ``run_grid.py``.
        python: Arguments of Python itself.
        output: Where results and cached states go, to find those of a launch before.
        cores: That it may use; all if none are given.
    """
    folder.mkdir(parents=True)
    store, output = f"sqlite:///{folder / 'log.db'}", output or folder / "out"
    places = ["--output", str(output), "--tracking-uri", store]
    script = [sys.executable, *python, str(ROOT / "tuning/run_grid.py")]
    began = time.time()
    watched = watch([*script, str(grid_file(folder, trial, grid)), *places, *words], folder, cores)
    first_step, training, scores = _logged(store, began)
    places_written = {path for place in (folder, output) for path in place.rglob("*")}
    files = [path for path in places_written if path.is_file() and path.stat().st_mtime >= began]
    return Launch(
        watched=watched,
        disk_bytes=sum(path.stat().st_size for path in files),
        first_step=first_step,
        training=training,
        scores=scores,
    )


def _logged(store: str, began: float) -> tuple[float, list[float], list[float]]:
    """Return the seconds to the first step, each trial's training, each trial's score."""
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("bench")
    if experiment is None:
        raise CommandError(f"{store}: has no experiment 'bench'")
    starts, training, scores = [], [], []
    for run in client.search_runs([experiment.experiment_id], "tags.kind = 'trial'"):
        epochs = _history(client, run.info.run_id, "epoch/seconds")
        starts.append(epochs[0].timestamp / 1000 - epochs[0].value - began)
        training.append(sum(epoch.value for epoch in epochs))
        scores.append(run.data.metrics["val_f1_at_threshold"])
    return min(starts), training, scores


def _history(client: MlflowClient, run_id: str, name: str) -> list[Metric]:
    return sorted(client.get_metric_history(run_id, name), key=lambda metric: metric.step)
