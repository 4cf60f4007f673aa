"""Measure how costs grow with the work: python benchmarks/scaling.py [--data FOLDER].

The script runs grids with the embedded encoder on the embedded pairs: with more trials, pairs and
trained layers and fewer cores, states cached; on ``--data`` it measures what one more trial costs.
Some sizes are run again, for the noise; ``growth.py`` fits the exponents. With 64 copies of the
pairs the states take 2.9 GB below ``TMPDIR`` and their pass minutes: so pairs are measured by one
trial of one epoch with the cheapest head, whose time grows with them as that of others does, and
16 and 64 copies once. It takes about 15 minutes on 2 idle cores, on PARADE 18.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.growth import AXES, fit_rows
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
TRIALS, TRIALS_AGAIN = (1, 4, 16, 64), (1, 16)
TIMES, TIMES_AGAIN = (1, 4, 16, 64), (1, 4)  # copies of each pair
LAYERS = 4  # of the embedded encoder
TRAINED, TRAINED_AGAIN = range(LAYERS + 1), (0, 2, LAYERS)  # with all of them, embeddings too
MEGA = 1e6
GRID_PATH = str(ROOT / "tuning/run_grid.py")
Row = dict[str, float]


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
        cores: Sequence[int] = (),
        grid: dict[str, list[object]] | None = None,
        **trial: object,
    ) -> Launch:
        """Run a grid and return its costs.

        Args:
            trials: Number of trials, which differ in their seed.
            cores: Numbers of the cores that the grid may use; all if none are given.
            grid: Another grid than that of seeds.
            trial: Fields of the trials that differ from ``TRIAL`` with one epoch.
        """
        self._runs += 1
        grid = grid or {"seed": list(range(trials))}
        fixed = {**TRIAL, "epochs": 1, **trial}
        return run_grid(
            self.folder / str(self._runs),
            {name: value for name, value in fixed.items() if name not in grid},
            grid,
            *("--data", self.data, "--encoder", "embedded"),
            output=self.folder / "shared",
            cores=cores,
        )

    def states_bytes(self) -> int:
        """Return the size of the newest file of cached states."""
        files = (self.folder / "shared/activations").glob("*.safetensors")
        return max(files, key=lambda path: path.stat().st_mtime).stat().st_size


def by_trials(bench: Bench) -> Iterator[Row]:
    """Yield the costs for each number of trials, with cached states."""
    bench.run(1)  # fills the cache
    for trials in (*TRIALS, *TRIALS_AGAIN):
        yield {"trials": trials, **_row(bench.run(trials))}


def by_pairs(folder: Path) -> Iterator[Row]:
    """Yield the costs of a trial for each number of copies of the data, cached.

    ``first_seconds`` are those with nothing cached.
    """
    for times in (*TIMES, *TIMES_AGAIN):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            data = str(repeat_pairs("embedded", Path(own) / "pairs", times))
            bench = Bench(Path(own), data)
            first, cached = (bench.run(1, head="mean_pooling") for _ in range(2))
            yield {"times": times, "first_seconds": first.watched.seconds, **_row(cached),
                   "states_mb": bench.states_bytes() / MEGA}  # fmt: skip


def by_depth(bench: Bench) -> Iterator[Row]:
    """Yield the costs of a trial for each number of trained layers, with cached states."""
    depths: list[object] = [LAYERS - trained for trained in TRAINED]
    bench.run(1, grid={"freezing": depths})  # fills the cache
    for trained in (*TRAINED, *TRAINED_AGAIN):
        yield {"trained_layers": trained, **_row(bench.run(1, freezing=LAYERS - trained))}


def by_cores(bench: Bench) -> Iterator[Row]:
    """Yield the costs of four trials on one core and on all cores."""
    every = sorted(os.sched_getaffinity(0))
    for cores in (every[:1], every):
        yield {"cores": len(cores), **_row(bench.run(4, cores=cores))}


def _row(launch: Launch) -> Row:
    """Return the costs of a launch as a row: seconds and megabytes."""
    return {
        "seconds": launch.watched.seconds,
        "first_step": launch.first_step,
        "training": statistics.median(launch.training),
        "driver_mb": launch.watched.driver_bytes / MEGA,
        "worker_mb": launch.watched.worker_bytes / MEGA,
        "disk_mb": launch.disk_bytes / MEGA,
    }


def one_more_trial(bench: Bench) -> Row:
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


def show(title: str, rows: list[Row]) -> Table:
    """Return a table of the rows, with a column for each name."""
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(
            *(f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in row.values())
        )
    return table


def show_growth(numbers: dict[str, Any]) -> Table:
    """Return a table of the fitted exponents of all parts that were measured."""
    table = Table("costs against", "", "exponent", "at most linear", title="growth")
    for part, (size, costs) in AXES.items():
        fits = fit_rows(numbers[part], size, costs) if part in numbers else {}
        for cost, fit in fits.items():
            table.add_row(size.replace("_", " "), cost, fit.written, fit.at_most_linear)
    return table


def main() -> int:
    """Return 0 after printing the tables and saving their numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure how costs grow with the work."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--name", default="scaling", help="name of the record")
    args = parser.parse_args()
    data = data_anywhere(args.data)
    numbers: dict[str, Any] = {"data": Path(data).name}
    with tempfile.TemporaryDirectory() as directory:
        folder, console = Path(directory), Console()
        bench = Bench(folder / "small", "embedded")
        parts: dict[str, tuple[int, Callable[[], Iterable[Row]]]] = {  # minutes on 2 idle cores
            "trials": (3, lambda: by_trials(bench)),
            "cores": (1, lambda: by_cores(bench)),
            "one_more_trial": (3, lambda: [one_more_trial(Bench(folder / "data", data))]),
            "depth": (3, lambda: by_depth(bench)),
            "pairs": (8, lambda: by_pairs(folder)),
        }
        for name, (minutes, measure) in parts.items():
            told = f"{time.strftime('%H:%M:%S')} {name}: about {minutes} minutes"
            console.print(told, highlight=False)
            rows: list[Row] = []
            for row in measure():
                rows.append(row)
                numbers[name] = row if name == "one_more_trial" else rows
                save_record(args.name, numbers, whole=False)  # the rest may be interrupted
            console.print(show(name.replace("_", " "), rows))
        console.print(show_growth(numbers))
    save_record(args.name, numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
