"""Table and sentences on the gap between validation and test, for the page."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.captions import DASH, points
from analysis.gap_tables import mean_over

_MEASURES = {"auc": "AUC", "f1": "F1*"}
_NAMES = {"auc": "AUC", "f1": "F1 at the chosen threshold"}
_UNSEPARATED = (
    "The log cannot tell apart what is in the part left over: chance, a test split that is harder "
    "for one model than for another, the choice of the epoch, as the last one is not scored on "
    "test, and that of the configuration, as only a search trains again, on fresh seeds, what it "
    "chose. Intervals are not corrected for their number."
)


def written_gaps(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``gaps``, with the columns of ``epoch_parts``, for a page.

    Parts have their interval below them. Without a log of epochs there is no column on them.
    """
    names = ["harder", "threshold", "left"] + ["epoch"] * bool(gaps["epoch"].notna().any())
    rows = [
        {"model": row["model"], "seeds": row["seeds"], "score": _MEASURES[row["metric"]]}
        | {"gap": row["gap"]}
        | {f"{name}_part": _cell(row, name) for name in names}
        for row in gaps.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _cell(row: Mapping[Hashable, Any], name: str) -> str:
    if np.isnan(row[name]):
        return DASH
    interval = f"\n[{points(row[f'{name}_low'])}, {points(row[f'{name}_high'])}]"
    return points(row[name]) + ("" if np.isnan(row[f"{name}_low"]) else interval)


def about_gaps(gaps: pd.DataFrame, baseline: str) -> list[str]:
    """Return how much harder the test split is, what models show beyond it, and what is not told.

    Args:
        gaps: Table ``gaps``.
        baseline: Name of the baseline.
    """
    sentences = []
    for metric, part in gaps.groupby("metric", sort=False):
        told = "; ".join(
            f"{points(row['left'])} with {row['model']} ({_interval(row, 'left')})"
            for row in part.to_dict("records")
        )
        first = part.iloc[0].to_dict()
        apart = "" if metric == "auc" else ", the threshold set apart,"
        size = points(abs(first["harder"])).lstrip("+")
        side = "higher" if first["harder"] > 0 else "lower"
        sentences.append(
            f"{_NAMES[str(metric)]} of {baseline}, of which nothing else was ever chosen, "
            f"is{apart} {size} points {side} on validation than on test "
            f"({_interval(first, 'harder')}): the part of a harder or an easier test split. "
            f"Beyond it the gap in points is {told}."
        )
    return [*sentences, _UNSEPARATED]


def about_choice(rounds: pd.DataFrame, measure: str, *, folds: bool = False) -> list[str]:
    """Return how far a search's values lie above those on fresh seeds, which chose nothing yet.

    Args:
        rounds: Table that the search logged: one row per round, configuration and seed. Its first
            round has the best configurations of the search, before any was chosen by new seeds.
        measure: Words for what trials are ranked by.
        folds: Whether the search ranked trials by folds, and not by the validation split.
    """
    first = rounds[rounds["round"] == rounds["round"].iloc[0]]
    found = first.groupby("configuration").agg(
        searched=("searched", "first"), fresh=("value", "mean")
    )
    row: dict[Hashable, Any] = {**mean_over("choice", found["searched"] - found["fresh"])}
    size = points(abs(row["choice"])).lstrip("+")
    side = "above" if row["choice"] > 0 else "below"
    values = "values by which the search chose its best configurations lie"
    interval = f" (over {len(found)} configurations, {_interval(row, 'choice')})"
    if len(found) == 1:
        values = "value by which the search chose its best configuration lies"
        interval = ""
    ending = (
        "these are of folds, those of the validation split, so that it is not of seeds alone."
        if folds
        else "how far values of a search are the luck of their seeds; what choosing on the same "
        "validation pairs adds is not in it."
    )
    return [
        f"The {values} {size} points of {measure} {side} the mean on seeds that took no part in "
        f"this choice{interval}: {ending}"
    ]


def _interval(row: Mapping[Hashable, Any], name: str) -> str:
    """Return the interval of a part, not corrected, and where it lies: that is no test."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if np.isnan(low):
        return "no interval: one entity"
    place = "above 0" if low > 0 else "below 0" if high < 0 else "with 0 in it"
    return f"95 % interval {points(low)} to {points(high)}, {place}"
