"""What explains each goal that was missed: where the rest goes, from the records alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

Records = Mapping[str, dict[str, Any] | None]


def reason(goal: str, records: Records) -> str:
    """Return the measurement that explains a missed goal, or which script is to be run.

    Args:
        goal: Name of the goal.
        records: Records by name, None where nothing was measured.
    """
    try:
        return REASONS[goal](records)
    except _Absent as absent:
        return f"what explains it is not measured; benchmarks/{absent}.py does that"


class _Absent(Exception):  # noqa: N818 - it is caught here alone
    """A record that lacks what is asked for; its name."""


def _find(records: Records, name: str, *keys: str) -> Any:  # noqa: ANN401 - numbers of any shape
    """Return what a record holds under these keys."""
    found: Any = (records.get(name) or {}).get("numbers", {})
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if not found:
        raise _Absent(name)
    return found


def _against(frozen: int) -> Callable[[Records], str]:
    """Return a function that says what the seconds of this program are."""

    def told(records: Records) -> str:
        """Return the seconds of both programs, and what ours are made of."""
        cases = _find(records, "against_trainer", "cases")
        case = next((case for case in cases if case["frozen"] == frozen), {})
        if not case.get("first_step"):
            raise _Absent("against_trainer")
        ours, theirs, first, training = (
            statistics.median(case[name]) for name in ("ours", "theirs", "first_step", "training")
        )
        cores = int((records["against_trainer"] or {})["machine"]["cores"])
        epochs = training / cores
        return (
            f"{theirs:.0f} s against {ours:.0f} s, of which {first:.0f} s are start and frozen "
            f"pass, {epochs:.0f} s the epochs on {cores} cores, {ours - first - epochs:.0f} s "
            "ends of trials, waiting and the end"
        )

    return told


def _operations(case: str, profiled: str) -> Callable[[Records], str]:
    """Return a function that says what a pass or an epoch does beside matrix products."""

    def told(records: Records) -> str:
        """Return floor and measured seconds of the case, and its kinds of operations."""
        cases = _find(records, "floor", "cases")
        found = next(each for each in cases if each["name"] == case)
        shares = _find(records, "where_time_goes", "operations", profiled)
        parts = [f"{name} {share:.0%}" for name, share in shares.items() if name != "seconds"]
        return (
            f"{found['floor']:.2f} of {found['seconds']:.2f} s; {found['padding']:.0%} of the "
            f"positions are padding; of the time in a profile: {', '.join(parts)}"
        )

    return told


def _computing(name: str) -> Callable[[Records], str]:
    """Return a function that compares the clock's seconds of a part of start-up with computing."""

    def told(records: Records) -> str:
        """Return the seconds of the clock and of the processors."""
        rounds = _find(records, "start_up", name)
        wall, cpu = ([each[kind] for each in rounds] for kind in ("wall", "cpu"))
        return (
            f"{min(wall):.2f} to {max(wall):.2f} s by the clock, of the processors "
            f"{statistics.median(cpu):.2f} s"
        )

    return told


def _start(records: Records) -> str:
    stages = dict(_find(records, "where_time_goes", "driver"))
    whole = stages.pop("whole")
    stages.pop("run the trials", None)
    parts = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in stages.items())
    computing = _computing("first_step")(records)
    return f"{computing}; stages of a driver under a profiler ({whole:.1f} s), in seconds: {parts}"


def _one_more(records: Records) -> str:
    found = _find(records, "scaling", "one_more_trial")
    cores = int((records["scaling"] or {})["machine"]["cores"])
    trials, rows = _find(records, "whole_grid", "trials"), _find(records, "whole_grid", "rows")
    beside = {row["part"].partition(":")[0]: row["seconds"] * cores / trials for row in rows
              if row["part"].startswith(("saving", "ends of", "waiting"))}  # fmt: skip
    parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in beside.items())
    return (
        f"{found['further'] - found['pure']:.1f} s beside {found['pure']:.1f} s of epochs; in a "
        f"whole grid a trial has, in seconds: {parts}"
    )


def _driver(records: Records) -> str:
    rows = [row for row in _find(records, "scaling", "pairs") if row["times"] <= 16]
    least, most = (choose(row["times"] for row in rows) for choose in (min, max))
    first, last = (
        statistics.median(row["driver_mb"] for row in rows if row["times"] == times)
        for times in (least, most)
    )
    more = (last - first) / max(1, most - least)
    return f"{first:.0f} MB with one copy of the pairs, {more:.1f} MB for each further"


def _copied(records: Records) -> str:
    rows = _find(records, "scaling", "pairs")
    return "worker's MB by states' MB: " + ", ".join(
        f"{row['worker_mb']:.0f} by {row['states_mb']:.0f}" for row in rows
    )


def _log(records: Records) -> str:
    found = _find(records, "whole_grid", "log")
    return (
        f"{found['inside']:.1f} of {found['seconds']:.0f} s in the driver's functions of the log"
    )


def _larger(records: Records) -> str:
    found = _find(records, "larger_data", "launch")
    return f"driver {found['driver_mb']:.0f} MB, each worker {found['worker_mb']:.0f} MB"


def _pairs(records: Records) -> str:
    return f"{_find(records, 'larger_data', 'pairs'):,} pairs were asked for"


def _disk(records: Records) -> str:
    rounds = _find(records, "larger_data", "heads", "cross_attention")
    ratios = {
        place: statistics.median(each["memory"] / each[place] for each in rounds)
        for place in rounds[0]
        if place != "memory"
    }
    return "memory over " + ", ".join(f"{p.replace('_', ' ')} {r:.2f}x" for p, r in ratios.items())


REASONS: dict[str, Callable[[Records], str]] = {  # by the names of the goals
    "six cells, all layers frozen, against Trainer + Ray Tune": _against(6),
    "six cells, four of six layers frozen, against the same": _against(4),
    "frozen pass of the embedded encoder, share of the matrix rate":
        _operations("frozen pass, cached", "frozen pass"),
    "epoch of the head on cached states, share of the same":
        _operations("epoch of the head", "all layers frozen"),
    "epoch of two trained layers, share of the same":
        _operations("epoch of two trained layers", "two layers trained"),
    "start-up to the first training step, states cached": _start,
    "a worker's start, to the first step of its first trial": _computing("worker"),
    "--help": _computing("help"),
    "--dry-run": _computing("dry_run"),
    "one more head-only trial, against its own training": _one_more,
    "driver's memory above the states": _driver,
    "states copied into each worker": _copied,
    "MLflow, share of the grid's time": _log,
    "states of the larger data": _pairs,
    "memory of its driver and two workers, at their peaks": _larger,
    "an epoch with the states on the disk, against in memory": _disk,
}  # fmt: skip
