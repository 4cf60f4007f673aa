"""Measure start-up: python benchmarks/start_up.py [--data FOLDER].

In turns, five times: ``run_grid.py --help``, ``run_grid.py --dry-run`` on the data, and a grid of
two trials on the embedded pairs with cached states and the embedded encoder, from its start to the
first training step. A worker is taken to be ordered when the command says that it trains, which is
shortly before, or when the worker's process is created, if that is later: processes that are
started ahead do not wait for an order. Each time is measured from outside, in seconds of the clock
and of the processors.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import data_anywhere
from benchmarks.launches import first_step_of, grid_file, trial_processes
from benchmarks.records import save_record
from benchmarks.scaling import GRID_PATH, TRIAL
from measures.addresses import sqlite_url

ROUNDS = 5
_PAUSE = 0.1  # seconds between two readings of the processes
_TRAINING = b"\nTraining "  # begins the line that a command prints before Ray gets its trials
Taken = dict[str, float]  # seconds of the clock (wall) and of the processors (cpu)


@dataclass(kw_only=True, slots=True)
class Observed:
    """What was seen of a launch from outside; times are seconds since 1970.

    ``training`` is when the command said that it trains, ``worker`` the creation of the first
    trial's process; None without one. ``readings`` are the time and the CPU seconds so far of the
    driver and of all trials' processes, with what a process took before it had a trial.
    """

    began: float
    training: float | None = None
    worker: float | None = None
    readings: list[tuple[float, float, float]] = field(default_factory=list)


def start_up(observed: Observed, first_step: float) -> dict[str, Taken]:
    """Return the seconds to the first training step: of the command, and of its first worker.

    CPU seconds are those of the driver for the command, those of all trials' processes for the
    worker, at the last reading before the step.

    Args:
        observed: Launch, with a worker.
        first_step: Time of the first training step, in seconds since 1970.

    Raises:
        ValueError: If no worker was seen before the first step.
    """
    before = [reading for reading in observed.readings if reading[0] <= first_step]
    if observed.worker is None or observed.training is None or not before:
        raise ValueError(f"no trial's process was seen before the first step, at {first_step}")
    _, driver, workers = before[-1]
    ordered = max(observed.worker, observed.training)
    return {
        "first_step": {"wall": first_step - observed.began, "cpu": driver},
        "worker": {"wall": first_step - ordered, "cpu": workers},
    }


def observe(words: list[str], folder: Path) -> Observed:
    """Run a launch and return what is seen of it.

    Args:
        words: Command and its arguments.
        folder: Working directory; the command's output goes to its output.txt.

    Raises:
        CalledProcessError: If the exit code is not 0.
    """
    told = folder / "output.txt"
    with told.open("wb") as output:
        observed = Observed(began=time.time())
        process = psutil.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            if observed.training is None and _TRAINING in told.read_bytes():
                observed.training = time.time()
            workers = trial_processes(process.pid)
            created = [begun for worker in workers if (begun := _created(worker))]
            known = [] if observed.worker is None else [observed.worker]
            observed.worker = min([*created, *known], default=None)
            used = _cpu([process]), _cpu(workers)
            observed.readings.append((time.time(), *used))
            time.sleep(_PAUSE)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return observed


def _created(process: psutil.Process) -> float | None:
    try:
        return process.create_time()
    except psutil.Error:
        return None


def _cpu(processes: Iterable[psutil.Process]) -> float:
    """Return the CPU seconds of the processes so far, without those that have ended."""
    total = 0.0
    for process in processes:
        try:
            used = process.cpu_times()
        except psutil.Error:
            continue
        total += used.user + used.system
    return total


def run_command(words: list[str]) -> Taken:
    """Return the seconds of a command and of the processes that it waited for.

    Raises:
        CalledProcessError: If the exit code is not 0.
    """
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return {"wall": time.perf_counter() - began, "cpu": used.ru_utime + used.ru_stime}


def run_launch(folder: Path, shared: Path) -> dict[str, Taken]:
    """Run a grid of two trials and return what ``start_up`` does.

    Args:
        folder: Folder to create, for the log and the experiment.
        shared: Folder of the results, with the states of earlier launches.
    """
    folder.mkdir(parents=True)
    store = sqlite_url(folder / "log.db")
    path = grid_file(folder, {**TRIAL, "epochs": 1}, {"seed": [0, 1]})
    words = [sys.executable, GRID_PATH, str(path), "--data", "embedded", "--encoder", "embedded",
             "--output", str(shared), "--tracking-uri", store]  # fmt: skip
    return start_up(observe(words, folder), first_step_of(store))


def measure(folder: Path, data: str, rounds: int) -> dict[str, list[Taken]]:
    """Return the seconds of each command and step, one entry for each round.

    Args:
        folder: Folder for launches.
        data: Data set of the plan, as for ``run_grid.py``.
        rounds: Number of rounds.
    """
    plan = [sys.executable, GRID_PATH, "--dry-run", "--data", data, "--encoder", "embedded"]
    run_launch(folder / "first", folder / "shared")  # fills the cache of states
    found: dict[str, list[Taken]] = {}
    for number in range(rounds):
        taken = {
            "help": run_command([sys.executable, GRID_PATH, "--help"]),
            "dry_run": run_command(plan),
            **run_launch(folder / str(number), folder / "shared"),
        }
        for name, each in taken.items():
            found.setdefault(name, []).append(each)
    return found


def median_wall(rounds: list[Taken]) -> float:
    """Return the median seconds of the clock."""
    return statistics.median(each["wall"] for each in rounds)


def main() -> int:
    """Return 0 after printing the table and saving its numbers."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description="Measure start-up.")
    parser.add_argument("--data", default="embedded", help="data of the plan, as for run_grid.py")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--name", default="start_up", help="name of the record")
    args = parser.parse_args()
    data = data_anywhere(args.data)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), data, args.rounds)
    table = Table("", "seconds", "of the processors", title=f"start-up, medians of {args.rounds}")
    for name, rounds in found.items():
        cpu = statistics.median(each["cpu"] for each in rounds)
        table.add_row(name.replace("_", " "), f"{median_wall(rounds):.2f}", f"{cpu:.2f}")
    Console().print(table)
    save_record(args.name, {"data": Path(data).name, "rounds": args.rounds, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
