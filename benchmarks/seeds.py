"""Measure the cost of more seeds of a configuration: python benchmarks/seeds.py [--data FOLDER].

The script trains the same head on cached states of a frozen encoder, on one core: each number of
seeds alternately as one stacked model and one after another. It prints seconds per epoch.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine_precision
from tuning.config.experiment import Experiment, TrialConfig
from tuning.data.prepared import prepare
from tuning.data.sources import read_locations
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs
from tuning.training.seeds import fit_seeds
from tuning.training.trainer import fit

CPU = torch.device("cpu")
SEEDS = (1, 2, 3, 5)


def main() -> int:
    """Return 0 after printing the table."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure what more seeds of a trial cost."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--head", default="cross_attention", help="head to train")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of each measurement")
    args = parser.parse_args()
    torch.set_num_threads(1)
    inputs = load(args.data)
    trial = TrialConfig.model_validate(
        {"head": args.head, "epochs": 1, "targets": "labels", "order_seed": 0}
    )
    seconds: dict[tuple[int, str], list[float]] = {}
    for _ in range(args.repeats):
        for seeds in SEEDS:
            for method in ("stacked", "one by one"):
                found = measure(inputs, trial, seeds, stacked=method == "stacked")
                seconds.setdefault((seeds, method), []).append(found)
    table = Table(title=f"{args.head} on {args.data}: seconds per epoch, one core, medians")
    for name in ("seeds", "stacked", "one by one", "ratio", "relative to one seed"):
        table.add_column(name, justify="right")
    one = statistics.median(seconds[1, "one by one"])
    for seeds in SEEDS:
        stacked = statistics.median(seconds[seeds, "stacked"])
        apart = statistics.median(seconds[seeds, "one by one"])
        cells = (
            f"{stacked:.2f}",
            f"{apart:.2f}",
            f"{stacked / apart:.2f}",
            f"{stacked / one:.2f}",
        )
        table.add_row(str(seeds), *cells)
    Console().print(table)
    return 0


def load(data: str) -> SharedInputs:
    """Return the inputs of trials with all layers of the embedded encoder frozen."""
    content = {"name": "seeds", "data": data, "encoder": "embedded"}
    prepared = prepare(Experiment.model_validate(content), read_locations())
    with tempfile.TemporaryDirectory() as folder:
        return build_inputs(prepared, prepared.depths[0], machine_precision(), Path(folder))


def measure(inputs: SharedInputs, trial: TrialConfig, seeds: int, *, stacked: bool) -> float:
    """Return the seconds of one epoch of all seeds, stacked or one after another."""
    train, validation = (
        LoadedSplit(inputs.splits[name], trial, CPU) for name in ("train", "validation")
    )
    configs = [trial.model_copy(update={"seed": seed}) for seed in range(seeds)]
    models = [build_classifier(config, inputs) for config in configs]
    started = time.perf_counter()
    if stacked:
        consume(fit_seeds(models, train, validation, trial, stacked=True))
    else:
        for model in models:
            consume(fit(model, train, validation, trial))
    return time.perf_counter() - started


def consume(results: Iterator[object]) -> None:
    """Train to the end, ignoring the results."""
    for _ in results:
        pass


if __name__ == "__main__":
    sys.exit(main())
