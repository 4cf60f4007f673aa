"""Where the time of a trial goes: python benchmarks/where_time_goes.py [--data FOLDER].

Profiles one epoch of training on one core, with all layers frozen and with two trained, by kind
of operation. What was learned from it stands in PROFILE.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from benchmarks.floor import CPU, epoch_of, prepare_for
from tuning.config import TrialConfig
from tuning.material import Material, build_classifier, build_material
from tuning.training import LoadedSplit

_SHOWN = 16


def profile_epoch(material: Material, trial: TrialConfig) -> list[tuple[str, int, float]]:
    """Return name, calls and seconds of each operation on its own, the longest first."""
    train = LoadedSplit(material.splits["train"], trial, CPU)
    work = epoch_of(build_classifier(trial, material), train, trial)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    events = profiler.key_averages()
    found = [(str(e.key), int(e.count), e.self_cpu_time_total / 1e6) for e in events]
    return sorted(found, key=lambda event: -event[2])


def show(events: list[tuple[str, int, float]], title: str) -> Table:
    """Return a table of the longest operations and their share of all."""
    total = sum(seconds for _, _, seconds in events)
    table = Table(title=f"{title}: {total:.1f} s on one core")
    for name in ("operation", "calls", "seconds", "share"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for name, calls, seconds in events[:_SHOWN]:
        table.add_row(name, str(calls), f"{seconds:.2f}", f"{seconds / total:.0%}")
    return table


def main() -> int:
    """Return 0 after printing a table for each depth."""
    parser = argparse.ArgumentParser(description="Profile an epoch of training.")
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="embedded", help="as for run_grid.py")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prepared = prepare_for(args.data, args.encoder)
    layers = prepared.encoder.layers
    for title, depth in (("all layers frozen", layers), ("two layers trained", layers - 2)):
        with tempfile.TemporaryDirectory() as folder:
            material = build_material(prepared, depth, Path(folder), Console(quiet=True))
        trial = prepared.trials[0].model_copy(update={"freezing": depth, "epochs": 1})
        Console().print(show(profile_epoch(material, trial), title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
