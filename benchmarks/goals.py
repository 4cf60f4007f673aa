"""Compare the latest measurements with the goals: python benchmarks/goals.py [--markdown].

The measurements are the records in benchmarks/results/; a goal without one is "not measured".
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.goal_reasons import reason
from benchmarks.records import RESULTS, read_record

Numbers = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A goal: a number from a record should be at least, or at most, ``bound``.

    ``record`` is the name of the record, ``read`` returns the number from it, and ``unit`` is
    written behind it (``%`` for a fraction). ``before`` is what the record had on 2026-11-25, by
    docs/results.md of commit 008d08e; None if it was not measured then.
    """

    name: str
    record: str
    bound: float
    at_least: bool
    unit: str
    read: Callable[[Numbers], float]
    before: float | None = None

    def reached(self, value: float) -> bool:
        """Return whether the value reaches the goal."""
        return value >= self.bound if self.at_least else value <= self.bound

    def written(self, value: float) -> str:
        """Return the value with its unit."""
        return f"{100 * value:.2g}%" if self.unit == "%" else f"{value:.3g}{self.unit}"


def against(frozen: int) -> Callable[[Numbers], float]:
    """Return a function that reads the ratio to Trainer with ``frozen`` layers frozen."""
    return lambda numbers: next(
        case["ratio"] for case in numbers["cases"] if case["frozen"] == frozen
    )


def median_seconds(name: str) -> Callable[[Numbers], float]:
    """Return a function that reads the median seconds of the clock of a part of start-up."""
    return lambda numbers: statistics.median(each["wall"] for each in numbers[name])


def reached(case: str) -> Callable[[Numbers], float]:
    """Return a function that reads which fraction of its measured time a case's floor is."""
    return lambda numbers: next(
        each["reached"] for each in numbers["cases"] if each["name"] == case
    )


def driver_memory(numbers: Numbers) -> float:
    """Return the peak megabytes that the driver allocates, without mapped and shared states.

    With up to 16 copies of the embedded pairs, 23,000 for training.
    """
    return max(row["driver_mb"] for row in numbers["pairs"] if row["times"] <= 16)


def copied_states(numbers: Numbers) -> float:
    """Return the growth of a worker's memory as a fraction of the growth of the states."""
    first, last = (most(numbers["pairs"], key=lambda row: row["states_mb"]) for most in (min, max))
    grown = last["worker_mb"] - first["worker_mb"]
    return max(0.0, grown / (last["states_mb"] - first["states_mb"]))


def allocated(numbers: Numbers) -> float:
    """Return the gigabytes that a driver and two workers allocate at their peaks together."""
    launch = numbers["launch"]
    return (launch["driver_mb"] + 2 * launch["worker_mb"]) / 1000


def slower_on_disk(numbers: Numbers) -> float:
    """Return the median ratio of an epoch's time on the disk to that in memory, default head."""
    rounds = numbers["heads"]["cross_attention"]
    return statistics.median(each["memory"] / each["disk_ahead"] for each in rounds)


GOALS = [
    Goal(name="six cells, all layers frozen, against Trainer + Ray Tune", unit="x",
         record="against_trainer", bound=40, at_least=True, read=against(6), before=21.1),
    Goal(name="six cells, four of six layers frozen, against the same", unit="x",
         record="against_trainer", bound=4, at_least=True, read=against(4), before=2.74),
    Goal(name="frozen pass of the embedded encoder, share of the matrix rate", unit="%",
         record="floor", bound=0.65, at_least=True,
         read=reached("frozen pass, cached"), before=0.57),
    Goal(name="epoch of the head on cached states, share of the same", unit="%",
         record="floor", bound=0.55, at_least=True,
         read=reached("epoch of the head"), before=0.37),
    Goal(name="epoch of two trained layers, share of the same", unit="%",
         record="floor", bound=0.7, at_least=True,
         read=reached("epoch of two trained layers"), before=0.54),
    Goal(name="start-up to the first training step, states cached", unit=" s",
         record="start_up", bound=6, at_least=False,
         read=median_seconds("first_step"), before=9.34),
    Goal(name="a worker's start, to the first step of its first trial", unit=" s",
         record="start_up", bound=2.5, at_least=False, read=median_seconds("worker")),
    Goal(name="--help", record="start_up", bound=0.25, at_least=False, unit=" s",
         read=median_seconds("help"), before=0.286),
    Goal(name="--dry-run", record="start_up", bound=0.7, at_least=False, unit=" s",
         read=median_seconds("dry_run"), before=0.988),
    Goal(name="one more head-only trial, against its own training", unit="x",
         record="scaling", bound=1.08, at_least=False,
         read=lambda numbers: numbers["one_more_trial"]["ratio"], before=1.12),
    Goal(name="driver's memory above the states", unit=" MB",
         record="scaling", bound=450, at_least=False, read=driver_memory, before=617),
    Goal(name="states copied into each worker", unit="%",
         record="scaling", bound=0.1, at_least=False, read=copied_states, before=0.06),
    Goal(name="MLflow, share of the grid's time", unit="%",
         record="whole_grid", bound=0.03, at_least=False,
         read=lambda numbers: numbers["log"]["share"], before=0.005),
    Goal(name="states of the larger data", unit=" GB",
         record="larger_data", bound=8, at_least=True,
         read=lambda numbers: numbers["launch"]["states_gb"]),
    Goal(name="memory of its driver and two workers, at their peaks", unit=" GB",
         record="larger_data", bound=4, at_least=False, read=allocated),
    Goal(name="an epoch with the states on the disk, against in memory", unit="x",
         record="larger_data", bound=1.5, at_least=False, read=slower_on_disk),
]  # fmt: skip


HEADER = ("measure", "2026-11-25", "measured", "on", "goal", "")
RECORDS = (*dict.fromkeys(goal.record for goal in GOALS), "where_time_goes")


def rows(records: Mapping[str, dict[str, Any] | None]) -> list[tuple[str, ...]]:
    """Return each goal as text: name, value before, value, date of its record, bound, verdict.

    Args:
        records: Records by name, None where nothing was measured.
    """
    found = []
    for goal in GOALS:
        record = records[goal.record]
        name, value, bound, verdict = judge(goal, record)
        date = record["machine"]["date"] if record and value != "-" else "-"
        before = "-" if goal.before is None else goal.written(goal.before)
        found.append((name, before, value, date, bound, verdict))
    return found


def reasons(records: Mapping[str, dict[str, Any] | None]) -> list[tuple[str, str]]:
    """Return name and explaining measurement of each goal that was missed.

    Args:
        records: Records by name, None where nothing was measured.
    """
    return [(name, reason(name, records)) for name, *_, verdict in rows(records)
            if verdict == "missed"]  # fmt: skip


def read_all(folder: Path = RESULTS) -> dict[str, dict[str, Any] | None]:
    """Return the records in a folder that goals are judged and explained by."""
    return {name: read_record(name, folder) for name in RECORDS}


def judge(goal: Goal, record: dict[str, Any] | None) -> tuple[str, str, str, str]:
    """Return name, measured value, bound and verdict of a goal as text.

    Args:
        goal: Goal to judge.
        record: Its record, None if nothing was measured.
    """
    bound = f"{'at least' if goal.at_least else 'at most'} {goal.written(goal.bound)}"
    try:
        value = goal.read(record["numbers"]) if record else None
    except (KeyError, StopIteration):  # the record covers a part of the benchmark
        value = None
    if value is None:
        return goal.name, "-", bound, "not measured"
    return goal.name, goal.written(value), bound, "reached" if goal.reached(value) else "missed"


def _machines(records: Mapping[str, dict[str, Any] | None]) -> dict[str, list[str]]:
    """Return the names of the records by the machine, the versions and the date of each."""
    found: dict[str, list[str]] = {}
    for name, record in records.items():
        if record:
            parts = [f"{key} {value}" for key, value in record["machine"].items()]
            found.setdefault(", ".join(parts), []).append(name)
    return found


def main() -> int:
    """Return 0 after printing the table, even if goals are missed."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare what was measured with the goals."
    )
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    args = parser.parse_args()
    records = read_all()
    found, missed = rows(records), reasons(records)
    if args.markdown:
        lines = [HEADER, ("---",) * len(HEADER), *found]
        print("\n".join(f"| {' | '.join(line)} |" for line in lines))
        print("", *(f"- {name}: {why}" for name, why in missed), sep="\n")
        return 0
    table = Table(*HEADER, title="Measurements and goals")
    for row in found:
        table.add_row(*row, style="" if row[-1] == "reached" else "red")
    console = Console()
    console.print(table)
    for name, why in missed:
        console.print(f"{name}: {why}", highlight=False)
    for machine, names in _machines(records).items():
        console.print(f"{', '.join(names)}: measured on {machine}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
