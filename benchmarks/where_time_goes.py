"""Profile a launch and a trial: python benchmarks/where_time_goes.py [--data FOLDER].

The script profiles the driver of a grid of two trials by stage, then by operation the frozen pass
over the train split and one epoch of training, on one core, with all layers frozen and with two
trained. PROFILE.md has the conclusions, the record explains missed goals.
"""

from __future__ import annotations

import argparse
import pstats
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from benchmarks.floor import epoch_of, prepare_for
from benchmarks.inputs import data_anywhere, whole_encoder
from benchmarks.launches import run_grid
from benchmarks.machine import CPU, machine_precision
from benchmarks.records import save_record
from models.frozen_pass import encode
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs

Event = tuple[str, int, float]  # name of an operation, its calls and its own seconds
_SHOWN = 12  # operations in a table
_PRODUCTS = {
    "aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::matmul",
    "aten::mkldnn_linear", "aten::linear", "mkldnn::_linear_pointwise",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
}  # fmt: skip
_COPIES = {"aten::copy_", "aten::_to_copy", "aten::clone", "aten::cat", "aten::index",
           "aten::contiguous"}  # fmt: skip
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


def profile_epoch(inputs: SharedInputs, trial: TrialConfig) -> list[Event]:
    """Return the operations of an epoch, as ``profile_work`` does."""
    train = LoadedSplit(inputs.splits["train"], trial, CPU)
    return profile_work(epoch_of(build_classifier(trial, inputs), train, trial))


def profile_pass(prepared: Prepared) -> list[Event]:
    """Return the operations of the pass over the train split, as ``profile_work`` does."""
    frozen = whole_encoder(prepared, getattr(torch, machine_precision().frozen), CPU)
    return profile_work(lambda: encode(frozen, prepared.tokens.splits["train"]))


def profile_work(work: Callable[[], object]) -> list[Event]:
    """Return name, calls and own seconds of each operation of some work, longest first."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    events = profiler.key_averages()
    found = [
        (str(event.key), int(event.count), event.self_cpu_time_total / 1e6) for event in events
    ]
    return sorted(found, key=lambda event: -event[2])


def show(events: list[Event], title: str) -> Table:
    """Return a table of the longest operations and their shares of the total time."""
    total = sum(seconds for _, _, seconds in events)
    table = Table(title=f"{title}: {total:.1f} s on one core")
    for name in ("operation", "calls", "seconds", "share"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for name, calls, seconds in events[:_SHOWN]:
        table.add_row(name, str(calls), f"{seconds:.2f}", f"{seconds / total:.0%}")
    return table


def summed(events: list[Event]) -> dict[str, float]:
    """Return the shares of matrix products, copies and all else of an epoch or a pass."""
    total = sum(seconds for _, _, seconds in events)
    found = {"matrix products": 0.0, "copies and conversions": 0.0}
    for name, _, seconds in events:
        if name in _PRODUCTS:
            found["matrix products"] += seconds / total
        elif name in _COPIES:
            found["copies and conversions"] += seconds / total
    return {**found, "other operations": 1 - sum(found.values()), "seconds": total}


def main() -> int:
    """Return 0 after printing the tables of driver, pass and trials, and saving their sums."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Profile a launch and a trial."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="embedded", help="as for run_grid.py")
    parser.add_argument("--name", default="where_time_goes", help="name of the record")
    args = parser.parse_args()
    args.data = data_anywhere(args.data)
    stages, seconds = profile_driver(str(args.data), args.encoder)
    Console().print(show_driver(stages, seconds))
    torch.set_num_threads(1)
    prepared = prepare_for(args.data, args.encoder)
    layers = prepared.encoder.layers
    found = {"frozen pass": profile_pass(prepared)}
    for title, depth in (("all layers frozen", layers), ("two layers trained", layers - 2)):
        trial = prepared.trials[0].model_copy(update={"freezing": depth, "epochs": 1})
        with tempfile.TemporaryDirectory() as folder:
            inputs = build_inputs(prepared, trial, machine_precision(), Path(folder))
            found[title] = profile_epoch(inputs, trial)  # reads the states from the folder
    for title, events in found.items():
        Console().print(show(events, title))
    operations = {title: summed(events) for title, events in found.items()}
    numbers = {"data": Path(args.data).name, "driver": {**dict(stages), "whole": seconds}}
    save_record(args.name, {**numbers, "operations": operations})
    return 0


if __name__ == "__main__":
    sys.exit(main())
