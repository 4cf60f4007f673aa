"""Split the wall time of a whole grid: python benchmarks/whole_grid.py [--data FOLDER].

The script runs the assigned grid as ``make grid`` does, with nothing cached, and counts which part
of its time is operations that must be done once, at the measured rate of matrix products (floor),
operations on padding, and overheads by name. Times are from the launch's journal and from outside;
epochs and passes are measured alone afterwards. Seconds in which as many trials run as there are
cores are divided by their number, so that all parts add up to the wall time. Then it runs the grid
again with more steps and under a profiler, for the share of the log. Both take about 6
minutes on 2 cores, on PARADE 12.
"""

from __future__ import annotations

import argparse
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.grid_timeline import Kind, Timeline, TrialTimes, read_timeline, waits
from benchmarks.inputs import data_anywhere
from benchmarks.launches import run_grid
from benchmarks.least_work import Work, pass_work, trial_work
from benchmarks.machine import Machine
from benchmarks.records import save_record
from benchmarks.scaling import GRID_PATH
from benchmarks.start_up import Observed, observe, run_command
from measures.addresses import sqlite_url
from tuning.config.loader import load_experiment
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import read_locations
from tuning.system.project import ROOT

LOG = tuple(
    f"tuning/tracking/{name}.py" for name in ("launch_log", "journal", "delivery", "mlflow_writer")
)
FLOOR, PADDING, OVERHEAD, REST = "floor", "padding", "overhead", "not explained"
Part = tuple[str, str, float]  # kind, name and seconds
Row = dict[str, Any]  # the same by name


def rows_of(
    seen: Mapping[str, float],
    timeline: Timeline,
    passes: Sequence[Work],
    works: Mapping[Kind, Sequence[Work]],
) -> list[Row]:
    """Return the parts of a grid's wall time, which add up to it.

    Args:
        seen: Measurements from outside: seconds of the plan (``plan``), start and end (``began``,
            ``ended``, in seconds since 1970), CPU seconds of the driver while trials ran
            (``driver``), and the number of ``cores``.
        timeline: Timeline of the grid.
        passes: Work of the frozen layers on each split, on all cores.
        works: Work of each kind of trial: an epoch, scoring of validation, and of test.
    """
    words, last = "words of errors, after the last trial", timeline.last_end
    parts = [
        *_before_trials(seen, timeline, passes),
        *_while_trials_run(seen, timeline.trials, works),
        (OVERHEAD, words, timeline.closed - last),
        (OVERHEAD, "last delivery to MLflow, table, end of Ray", seen["ended"] - timeline.closed),
    ]
    rest = seen["ended"] - seen["began"] - sum(seconds for _, _, seconds in parts)
    parts.append((REST, "trials side by side, against alone", rest))
    return [
        {"kind": kind, "part": part, "seconds": seconds}
        for wanted in (FLOOR, PADDING, OVERHEAD, REST)
        for kind, part, seconds in parts
        if kind == wanted
    ]


def _before_trials(
    seen: Mapping[str, float], timeline: Timeline, passes: Sequence[Work]
) -> list[Part]:
    """Return the parts up to the first training step; args are those of ``rows_of``."""
    once = [(1, work) for work in passes]
    return [
        (FLOOR, "the frozen layers' pass", _total(once, "floor")),
        (PADDING, "in the pass", _total(once, "padding")),
        (OVERHEAD, "plan: Python, data, word pieces", seen["plan"]),
        (OVERHEAD, "start of Ray, imports of torch and MLflow, opening the log",
         timeline.opened - seen["began"] - seen["plan"]),
        (OVERHEAD, "waiting for MLflow's first answer, copying encoder and pairs",
         timeline.inputs - timeline.opened),
        (OVERHEAD, "the pass, beyond its operations", _total(once, "beyond")),
        (OVERHEAD, "loading the frozen layers, writing the states",
         timeline.states - timeline.inputs - _total(once, "seconds")),
        (OVERHEAD, "sharing the states, start of the first worker",
         timeline.first_step - timeline.states),
    ]  # fmt: skip


def _while_trials_run(
    seen: Mapping[str, float],
    trials: Sequence[TrialTimes],
    works: Mapping[Kind, Sequence[Work]],
) -> list[Part]:
    """Return the parts of the time of all cores while trials run; args as in ``rows_of``."""
    epochs = [(len(each.epochs), works[each.kind]) for each in trials]
    training = [(times, work[0]) for times, work in epochs]
    scoring = [(times, work[1]) for times, work in epochs]
    final = [(1, each) for _, work in epochs for each in work[1:]]
    scored = [*scoring, *final]
    waiting, idle = waits(trials, int(seen["cores"]))
    ends = sum(each.end - each.last_epoch for each in trials)
    ends -= _total(final, "floor") + _total(final, "padding")
    found = [
        (FLOOR, "training", _total(training, "floor")),
        (FLOOR, "scoring validation, and test at the end", _total(scored, "floor")),
        (PADDING, "in training and scoring", _total([*training, *scored], "padding")),
        (OVERHEAD, "training, beyond its operations", _total(training, "beyond")),
        (OVERHEAD, "scoring validation after epochs, beyond its operations",
         _total(scoring, "beyond")),
        (OVERHEAD, "saving and reporting each epoch", sum(each.between for each in trials)),
        (OVERHEAD, "ends of trials: final scoring, attention maps, saving", ends),
        (OVERHEAD, "waiting for the next trial: the second worker, Ray, loading", waiting),
        (OVERHEAD, "the driver while trials run: log, MLflow, Ray", seen["driver"]),
        (OVERHEAD, "idle cores at the end", idle),
    ]  # fmt: skip
    return [(kind, part, seconds / seen["cores"]) for kind, part, seconds in found]


def _total(works: Sequence[tuple[int, Work]], name: str) -> float:
    """Return the sum of one of the seconds of works that are done some times each."""
    return sum(times * getattr(work, name) for times, work in works)


def driver_seconds(observed: Observed, timeline: Timeline) -> float:
    """Return the CPU seconds of the driver between the first step and the last trial's end."""
    first, last = (
        max((own for when, own, _ in observed.readings if when <= moment), default=0.0)
        for moment in (timeline.first_step, timeline.last_end)
    )
    return last - first


def measure_grid(folder: Path, prepared: Prepared, words: list[str], repeats: int) -> list[Row]:
    """Run the assigned grid once and return the parts of its wall time.

    Args:
        folder: Folder for the launch.
        prepared: The same grid, for measurements of its work alone.
        words: Arguments of ``run_grid.py`` that name data and encoder.
        repeats: Repeats of each measurement of work and rates.
    """
    plan = run_command([sys.executable, GRID_PATH, *words, "--dry-run"])["wall"]
    output = folder / "out"
    targets = ["--output", str(output), "--tracking-uri", sqlite_url(folder / "log.db")]
    observed = observe([sys.executable, GRID_PATH, *words, *targets], folder)
    ended = time.time()
    timeline = read_timeline(output)
    cores, machine = len(os.sched_getaffinity(0)), Machine(repeats)
    seen = {"plan": plan, "began": observed.began, "ended": ended, "cores": cores,
            "driver": driver_seconds(observed, timeline)}  # fmt: skip
    passes = pass_work(machine, prepared, cores)
    return rows_of(seen, timeline, passes, trial_work(machine, prepared, output))


def log_share(folder: Path, words: Sequence[str]) -> dict[str, float]:
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
        *words,
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
            "disk_mb": launch.disk_bytes / 1e6}  # fmt: skip


def show(rows: Sequence[Row]) -> Table:
    """Return a table of the parts, with their shares."""
    wall = sum(row["seconds"] for row in rows)
    table = Table("", "part", title=f"a whole grid: {wall:.1f} s")
    for name in ("seconds", "share"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row["kind"], row["part"], f"{row['seconds']:.2f}",
                      f"{row['seconds'] / wall:.1%}")  # fmt: skip
    return table


def main() -> int:
    """Return 0 after printing the table and saving its numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Split the wall time of a whole grid."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="embedded", help="as for run_grid.py")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--name", default="whole_grid", help="name of the record")
    args = parser.parse_args()
    data = data_anywhere(args.data)
    words, console = ["--data", data, "--encoder", args.encoder], Console()
    changes = {"data": data, "encoder": args.encoder}
    experiment = load_experiment(ROOT / "experiments/grid.yaml").model_copy(update=changes)
    prepared = prepare(experiment, read_locations())
    numbers: dict[str, Any] = {"data": Path(data).name, "encoder": Path(args.encoder).name,
                               "trials": len(prepared.trials)}  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        numbers["rows"] = measure_grid(folder, prepared, words, args.repeats)
        console.print(show(numbers["rows"]))
        save_record(args.name, numbers, whole=False)  # the rest may be interrupted
        numbers["log"] = log_share(folder, words)
        console.print(f"the log under a profiler: {numbers['log']}")
    save_record(args.name, numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
