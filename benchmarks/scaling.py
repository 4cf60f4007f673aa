"""Measure how costs grow with the work: python benchmarks/scaling.py [--data FOLDER].

The script runs grids with the embedded encoder, all layers frozen, on the embedded pairs: with
more trials, more pairs and fewer cores. It measures memory, and on ``--data`` MLflow's share of
the assigned grid and the cost of one more trial. ``start_up.py`` measures start-up alone,
``seeds.py`` the cost of more seeds.
"""

from __future__ import annotations

import argparse
import os
import pstats
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.inputs import data_anywhere, repeat_pairs
from benchmarks.launches import Launch, run_grid
from benchmarks.records import save_record
from tuning.system.project import ROOT

TRIAL: dict[str, object] = {
    "encoding": "pair",  # copies of the pairs share their first texts: states would not grow alike
    "both_orders": False,
    "targets": "labels",
    "freezing": "all",
}
TRIALS = (1, 2, 4, 8, 16)
TIMES = (1, 4, 16)  # copies of each pair
MEGA = 1e6
GRID_PATH = str(ROOT / "tuning/run_grid.py")
LOG = tuple(
    f"tuning/tracking/{name}.py" for name in ("launch_log", "journal", "delivery", "mlflow_writer")
)


class Bench:
    """Grids, each in a folder of its own, that share one cache of states.

    Args:
        folder: Folder to create the grids' folders in.
        data: Data set, as for ``run_grid.py``.
    """

    def __init__(self, folder: Path, data: str) -> None:
        self.folder = folder
        self.data = data
        self._runs = 0

    def run(
        self,
        trials: int,
        *,
        epochs: int = 1,
        data: str | None = None,
        python: tuple[str, ...] = (),
        cores: Sequence[int] = (),
    ) -> Launch:
        """Run a grid whose trials differ in their seed and return its costs.

        Args:
            trials: Number of trials.
            epochs: Epochs of each trial.
            data: Data set in place of the usual one.
            python: Arguments of Python itself.
            cores: Numbers of the cores that the grid may use; all if none are given.
        """
        self._runs += 1
        words = ["--data", data or self.data, "--encoder", "embedded"]
        return run_grid(
            self.folder / str(self._runs),
            {**TRIAL, "epochs": epochs},
            {"seed": list(range(trials))},
            *words,
            python=python,
            output=self.folder / "shared",
            cores=cores,
        )

    def states_bytes(self) -> int:
        """Return the size of the newest file of cached states."""
        files = (self.folder / "shared/activations").glob("*.safetensors")
        return max(files, key=lambda path: path.stat().st_mtime).stat().st_size


def by_trials(bench: Bench) -> list[dict[str, float]]:
    """Return the costs for each number of trials, with cached states."""
    bench.run(1)  # fills the cache
    return [{"trials": trials, **_row(bench.run(trials))} for trials in TRIALS]


def by_pairs(bench: Bench) -> list[dict[str, float]]:
    """Return the costs of two trials for each number of copies of the data, cached."""
    rows = []
    for times in TIMES:
        data = str(repeat_pairs(bench.data, bench.folder / f"x{times}", times))
        first, cached = bench.run(2, data=data), bench.run(2, data=data)
        states = bench.states_bytes()
        rows.append({"times": times, "first_seconds": first.watched.seconds, **_row(cached),
                     "states_mb": states / MEGA})  # fmt: skip
    return rows


def by_cores(bench: Bench) -> list[dict[str, float]]:
    """Return the costs of four trials on one core and on all cores."""
    every = sorted(os.sched_getaffinity(0))
    return [
        {"cores": len(cores), **_row(bench.run(4, cores=cores))} for cores in (every[:1], every)
    ]


def _row(launch: Launch) -> dict[str, float]:
    """Return the costs of a launch as a row: seconds and megabytes."""
    return {
        "seconds": launch.watched.seconds,
        "first_step": launch.first_step,
        "training": statistics.median(launch.training),
        "driver_mb": launch.watched.driver_bytes / MEGA,
        "worker_mb": launch.watched.worker_bytes / MEGA,
        "disk_mb": launch.disk_bytes / MEGA,
    }


def one_more_trial(bench: Bench) -> dict[str, float]:
    """Return the seconds of one more trial of five epochs (``further``) and of its epochs alone.

    As many trials run at a time as there are cores, so that many more trials add one trial's time.
    """
    cores = len(os.sched_getaffinity(0))
    bench.run(1)  # fills the cache
    few = bench.run(cores, epochs=5)
    many = bench.run(3 * cores, epochs=5)
    further = (many.watched.seconds - few.watched.seconds) / 2
    pure = statistics.mean(many.training)
    return {"further": further, "pure": pure, "ratio": further / pure}


def log_share(folder: Path, data: str) -> dict[str, float]:
    """Return the seconds that the driver spends on its log (``inside``) during the assigned grid.

    They include recording, and waiting for MLflow at the start and at the end, but not what
    another thread writes to MLflow at the same time.
    """
    profile = folder / "driver.prof"
    launch = run_grid(
        folder / "assigned",
        {"epochs": 3, "min_steps": 600},
        {
            "freezing": ["all", "some"],
            "optimizer": ["adamw", "sgd"],
            "learning_rate": [0.001, 0.01, 0.1],
        },
        "--data",
        data,
        "--encoder",
        "embedded",
        python=("-m", "cProfile", "-o", str(profile)),
    )
    stats = pstats.Stats(str(profile)).stats  # pyright: ignore[reportAttributeAccessIssue]
    inside = 0.0
    for (file, _, _), (*_, callers) in stats.items():
        if not file.endswith(LOG):
            continue
        for (caller, _, _), (*_, cumulative) in callers.items():
            inside += 0.0 if caller.endswith(LOG) else cumulative
    return {"inside": inside, "seconds": launch.watched.seconds,
            "share": inside / launch.watched.seconds,
            "disk_mb": launch.disk_bytes / MEGA}  # fmt: skip


def show(title: str, rows: list[dict[str, float]]) -> Table:
    """Return a table of the rows, with a column for each name."""
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(
            *(f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in row.values())
        )
    return table


def main() -> int:
    """Return 0 after printing the tables and saving their numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure how costs grow with the work."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    args = parser.parse_args()
    console = Console()
    numbers: dict[str, object] = {"data": Path(args.data).name}
    data = data_anywhere(args.data)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "small", "embedded")
        for name, measure in (("trials", by_trials), ("cores", by_cores)):
            numbers[name] = rows = measure(bench)
            console.print(show(f"more {name}", rows))
        numbers["log"] = found = log_share(Path(folder), data)
        console.print(show(f"MLflow in the assigned grid on {Path(data).name}", [found]))
        numbers["one_more_trial"] = found = one_more_trial(Bench(Path(folder) / "data", data))
        console.print(show(f"one more trial on {Path(data).name}", [found]))
        save_record("scaling", numbers, whole=False)
        numbers["pairs"] = rows = by_pairs(Bench(Path(folder) / "pairs", "embedded"))
        console.print(show("more pairs (embedded)", rows))
    save_record("scaling", numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
