"""Profile a launch and a trial: python benchmarks/where_time_goes.py [--data FOLDER].

The script profiles the driver of a grid of two trials by stage, then one epoch of training on one
core by operation, with all layers frozen and with two trained. PROFILE.md has the conclusions.
"""

from __future__ import annotations

import argparse
import pstats
import sys
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from benchmarks.floor import epoch_of, prepare_for
from benchmarks.inputs import data_anywhere
from benchmarks.launches import run_grid
from benchmarks.machine import CPU, machine_precision
from tuning.config.experiment import TrialConfig
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs

_SHOWN = 12  # operations in a table
_STAGES = (  # name of each stage of a driver, its function, and the end of its file's path
    ("plan: data, word pieces", "prepare", "tuning/data/prepared.py"),
    ("open the log", "check", "tuning/tracking/delivery.py"),
    ("start Ray", "init", "ray/_private/worker.py"),
    ("load and share the states", "open_context", "tuning/execution/context.py"),
    ("run the trials", "run_specs", "tuning/execution/tuner.py"),
    ("end Ray", "shutdown", "ray/_private/worker.py"),
)


def profile_driver(data: str, encoder: str) -> tuple[list[tuple[str, float]], float]:
    """Return the seconds of each stage of a driver with cached states, and those in total."""
    fixed = {"encoding": "pair", "both_orders": False, "targets": "labels"}  # as in prepare_for
    trial: dict[str, object] = {**fixed, "epochs": 2}
    grid: dict[str, list[object]] = {"seed": [0, 1]}
    with tempfile.TemporaryDirectory() as directory:
        folder, words = Path(directory), ("--data", data, "--encoder", encoder)
        run_grid(folder / "first", trial, grid, *words, output=folder / "out")
        stats = folder / "driver.prof"
        launch = run_grid(
            folder / "cached",
            trial,
            grid,
            *words,
            python=("-m", "cProfile", "-o", str(stats)),
            output=folder / "out",
        )
        found = read_profile(stats)
    stages = [(stage, _seconds_in(found, *function)) for stage, *function in _STAGES]
    return stages, launch.watched.seconds


def read_profile(path: Path) -> dict[tuple[str, str], float]:
    """Return the seconds in each function and those it calls, by file and name."""
    stats = pstats.Stats(str(path)).stats  # pyright: ignore[reportAttributeAccessIssue]
    return {(file, name): values[3] for (file, _, name), values in stats.items()}


def _seconds_in(profiled: dict[tuple[str, str], float], function: str, ending: str) -> float:
    """Return the seconds in a function of the file whose path has this ending."""
    return sum(
        seconds
        for (file, name), seconds in profiled.items()
        if name == function and file.endswith(ending)
    )


def show_driver(stages: list[tuple[str, float]], seconds: float) -> Table:
    """Return a table of the stages and their seconds."""
    table = Table(title=f"driver of two trials, states cached: {seconds:.1f} s")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for stage, value in stages:
        table.add_row(stage, f"{value:.2f}")
    return table


def profile_epoch(inputs: SharedInputs, trial: TrialConfig) -> list[tuple[str, int, float]]:
    """Return name, calls and own seconds of each operation of an epoch, longest first."""
    train = LoadedSplit(inputs.splits["train"], trial, CPU)
    work = epoch_of(build_classifier(trial, inputs), train, trial)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    events = profiler.key_averages()
    found = [
        (str(event.key), int(event.count), event.self_cpu_time_total / 1e6) for event in events
    ]
    return sorted(found, key=lambda event: -event[2])


def show(events: list[tuple[str, int, float]], title: str) -> Table:
    """Return a table of the longest operations and their shares of the total time."""
    total = sum(seconds for _, _, seconds in events)
    table = Table(title=f"{title}: {total:.1f} s on one core")
    for name in ("operation", "calls", "seconds", "share"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for name, calls, seconds in events[:_SHOWN]:
        table.add_row(name, str(calls), f"{seconds:.2f}", f"{seconds / total:.0%}")
    return table


def main() -> int:
    """Return 0 after printing the tables of the driver and of two trials."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Profile a launch and a trial."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="embedded", help="as for run_grid.py")
    args = parser.parse_args()
    args.data = data_anywhere(args.data)
    Console().print(show_driver(*profile_driver(str(args.data), args.encoder)))
    torch.set_num_threads(1)
    prepared = prepare_for(args.data, args.encoder)
    layers = prepared.encoder.layers
    for title, depth in (("all layers frozen", layers), ("two layers trained", layers - 2)):
        trial = prepared.trials[0].model_copy(update={"freezing": depth, "epochs": 1})
        with tempfile.TemporaryDirectory() as folder:
            inputs = build_inputs(prepared, trial, machine_precision(), Path(folder))
        Console().print(show(profile_epoch(inputs, trial), title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
