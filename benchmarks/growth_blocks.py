"""Tables of scaling, growth and a whole grid's time for the pages, from the records."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.goals import GOALS, judge
from benchmarks.growth import AXES, fit_rows
from benchmarks.markdown_text import Record, origin, short, table

NOT_MEASURED = "*Not measured yet.*"
_COSTS = ("seconds", "first_step", "training", "driver_mb", "worker_mb")
_COLUMNS = {  # of a table of scaling.py, after the size
    "trials": _COSTS,
    "cores": _COSTS,
    "pairs": ("first_seconds", *_COSTS, "disk_mb", "states_mb"),
    "depth": (*_COSTS, "disk_mb"),
}
_SIZES = {"trials": "trials", "cores": "cores", "pairs": "times", "depth": "trained_layers"}
_WORDS = {
    "first_seconds": "seconds, nothing cached",
    "seconds": "seconds, states cached",
    "training": "seconds of a trial's epochs",
    "driver_mb": "driver's memory",
    "worker_mb": "worker's memory",
    "disk_mb": "disk, without cached states",
    "times": "copies of the pairs",
    "trained_layers": "trained layers",
}


def _scaling(record: Record, part: str, header: str) -> str:
    """Return the rows of one part of ``scaling.py``, medians where a size was run again."""
    size, columns = _SIZES[part], _COLUMNS[part]
    rows: list[dict[str, float]] = record["numbers"].get(part, [])
    if not rows:
        return NOT_MEASURED
    heads = [header, *(name.replace("_", " ").replace("mb", "MB") for name in columns)]
    cells = []
    for value in dict.fromkeys(row[size] for row in rows):
        own = [row for row in rows if row[size] == value]
        medians = [short(statistics.median(row[name] for row in own)) for name in columns]
        cells.append([short(value), *medians])
    return table(heads, cells)


def scaling_trials(record: Record) -> str:
    """Return the costs by the number of trials."""
    return f"{_scaling(record, 'trials', 'trials')}\n\n{origin(record)}"


def scaling_cores(record: Record) -> str:
    """Return the costs by the number of cores."""
    return _scaling(record, "cores", "cores, four trials")


def scaling_pairs(record: Record) -> str:
    """Return the costs by the number of copies of the data."""
    return _scaling(record, "pairs", "times")


def scaling_depth(record: Record) -> str:
    """Return the costs by the number of trained layers."""
    return _scaling(record, "depth", "trained layers")


def growth(record: Record) -> str:
    """Return the fitted exponent of each cost against trials, pairs and trained layers."""
    cells = []
    for part, (size, costs) in AXES.items():
        rows: list[dict[str, float]] = record["numbers"].get(part, [])
        if len(rows) < 4:
            continue
        first, last = min(row[size] for row in rows), max(row[size] for row in rows)
        for cost, fit in fit_rows(rows, size, costs).items():
            unit = "MB" if cost.endswith("mb") else "s"
            cells.append(
                [
                    f"{_WORDS.get(size, size)}, {short(first)} to {short(last)}",
                    _WORDS[cost],
                    f"{short(fit.smallest)} to {short(fit.largest)} {unit}",
                    fit.written,
                    fit.at_most_linear,
                ]
            )
    header = ("size", "cost", "smallest to largest", "exponent", "at most linear")
    return table(header, cells) if cells else NOT_MEASURED


def scaling_goals(record: Record) -> str:
    """Return the goals of ``scaling.py``, measured."""
    rows = [judge(goal, record) for goal in GOALS if goal.record == "scaling"]
    return table(("measure", "measured", "goal", ""), rows)


def whole_grid(record: Record) -> str:
    """Return the parts of the wall time of a whole grid, and the share of its log."""
    numbers, cells = record["numbers"], []
    rows: list[dict[str, Any]] = numbers["rows"]
    wall = sum(row["seconds"] for row in rows)
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        whole = sum(row["seconds"] for row in own)
        cells.append([f"**{kind}**", "", f"**{whole:.1f}**", f"**{_percent(whole / wall)}**"])
        for row in own:
            share = _percent(row["seconds"] / wall)
            cells.append(["", row["part"], f"{row['seconds']:.1f}", share])
    cells.append(["**wall time**", "", f"**{wall:.1f}**", "**100 %**"])
    parts = [table(("", "part", "seconds", "share"), cells), origin(record)]
    if "log" in numbers:
        log = numbers["log"]
        parts.append(
            f"The same grid with at least 600 steps a trial: {log['seconds']:.0f} s under a "
            f"profiler, {log['inside']:.1f} s of them for the log; with nothing cached it left "
            f"{log['disk_mb']:,.0f} MB on disk, most of them the states of two depths."
        )
    return "\n\n".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
