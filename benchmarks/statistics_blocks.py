"""Tables of simulated intervals and tests for the pages: how often they are right."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown_text import Record, origin, points, score, table

_MEASURES = {"f1": "F1", "accuracy": "accuracy", "precision": "precision", "recall": "recall",
             "auc": "AUC", "error": "error rate of a quarter of the negatives"}  # fmt: skip
_WHAT = {"mean": "score", "baseline": "difference to a baseline without seeds"}
_COVERED, _REJECTED = (0.93, 0.97), (0.04, 0.06)
_CUTS = {"threshold": "from validation", "none": "-"}
_SEEDS = (5, 3, 1)


def statistics(record: Record) -> str:
    """Return how often intervals cover the truth, and equal trainings are told apart."""
    numbers = record["numbers"]
    rows = numbers["rows"]
    intervals = [row for row in rows if row["what"] in _WHAT]
    tests = [row for row in rows if row["what"] == "trainings"]
    told = [_inside(found, *how) for found, how in
            ((intervals, ("covered", _COVERED)), (tests, ("rejected", _REJECTED)))]  # fmt: skip
    apart = ", ".join(
        f"{score(value)} ({'from validation' if name == 'threshold' else name})"
        for name, value in numbers["deviations"].items()
    )
    return "\n\n".join(
        [
            f"Standard deviation of F1 over seeds, by threshold: {apart}. Share of 95 % intervals "
            "that cover the truth, by number of seeds:",
            _table(intervals, "covered", _COVERED),
            f"With 3 or 5 seeds {told[0]} lie between .93 and .97. "
            "Share of equal trainings that are told apart at .05 (with one seed the report gives "
            "no p; the share is what its p would do):",
            _table(tests, "rejected", _REJECTED),
            f"With 3 or 5 seeds {told[1]} lie between .04 and .06. In bold: what does not.",
            origin(record),
        ]
    )


def _inside(rows: list[dict[str, Any]], name: str, band: tuple[float, float]) -> str:
    """Return how many of the rows with several seeds lie in a band."""
    rows = [row for row in rows if row["seeds"] > 1]
    return f"{sum(_within(row[name], band) for row in rows)} of {len(rows)}"


def _within(value: float, band: tuple[float, float]) -> bool:
    return band[0] <= round(value, 3) <= band[1]


def _table(rows: list[dict[str, Any]], name: str, band: tuple[float, float]) -> str:
    """Return a row for each statement and threshold, a column for each number of seeds."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    for row in rows:
        words = _MEASURES[row["metric"]]
        if row["what"] in _WHAT and row["metric"] != "error":
            words = f"{words}, {_WHAT[row['what']]}"
        if row["split"] != "test":
            words += f", {row['split']} pairs"
        cut = str(_CUTS.get(row["threshold"], row["threshold"]))
        value = score(row[name])
        cell = value if _within(row[name], band) else f"**{value}**"
        found.setdefault((words, cut), {})[row["seeds"]] = cell
    lines = [[*key, *(cells.get(seeds, "-") for seeds in _SEEDS)] for key, cells in found.items()]
    return table(("", "threshold", *(f"{n} seed{'s' * (n > 1)}" for n in _SEEDS)), lines)


_PARTS = {"harder": "harder test", "threshold": "threshold", "left": "left over"}


def gap_statistics(record: Record) -> str:
    """Return how often the intervals of a gap's parts cover the truth."""
    rows = record["numbers"]["rows"]
    found: dict[tuple[str, ...], dict[int, str]] = {}
    for row in rows:
        key = (f"{_MEASURES[row['metric']]}, {_PARTS[row['part']]}", row["rule"],
               points(row["truth"]))  # fmt: skip
        value = score(row["covered"])
        found.setdefault(key, {})[row["seeds"]] = (
            value if _within(row["covered"], _COVERED) else f"**{value}**"
        )
    lines = [[*key, *(cells[seeds] for seeds in _SEEDS)] for key, cells in found.items()]
    several = _inside(rows, "covered", _COVERED)
    return "\n\n".join(
        [
            "Share of 95 % intervals around a part of the gap between validation and test that "
            "cover its true size, in points, by the rule that chose the threshold:",
            table(("", "rule", "truth", *(f"{n} seed{'s' * (n > 1)}" for n in _SEEDS)), lines),
            f"With 3 or 5 seeds {several} lie between .93 and .97. In bold: what does not.",
            origin(record),
        ]
    )
