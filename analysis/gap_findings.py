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
    "What is left over has two parts that the log cannot separate: that of choosing the epoch, as "
    "the last one is not scored on test, and that of choosing the configuration, as only a search "
    "trains again, on fresh seeds, what it chose."
)


def written_gaps(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``gaps``, with the columns of ``epoch_parts``, for a page.

    Parts have their interval below them. Without a log of epochs there is no column on them.
    """
    names = ["harder", "threshold", "left"] + ["epoch"] * bool(gaps["epoch"].notna().any())
    rows = [
        {"model": row["model"], "seeds": row["seeds"], "measure": _MEASURES[row["metric"]]}
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
        chosen = "nothing" if metric == "auc" else "nothing but the threshold, here set apart,"
        sentences.append(
            f"Validation and test differ by {points(first['harder'])} points in "
            f"{_NAMES[str(metric)]} ({_interval(first, 'harder')}) for {baseline}, of which "
            f"{chosen} was chosen: so much harder is the test split. Beyond that the gap is "
            f"{told}."
        )
    return [*sentences, _UNSEPARATED]


def about_choice(rounds: pd.DataFrame, measure: str) -> list[str]:
    """Return how far a search's values lie above those on fresh seeds, which chose nothing yet.

    Args:
        rounds: Table that the search logged: one row per round, configuration and seed. Its first
            round has the best configurations of the search, before any was chosen by new seeds.
        measure: Words for what trials are ranked by.
    """
    first = rounds[rounds["round"] == rounds["round"].iloc[0]]
    found = first.groupby("configuration").agg(
        searched=("searched", "first"), fresh=("value", "mean")
    )
    row: dict[Hashable, Any] = {**mean_over("choice", found["searched"] - found["fresh"])}
    interval = f" (over configurations, {_interval(row, 'choice')})" if len(found) > 1 else ""
    return [
        f"The values by which the search chose its {len(found)} best configurations lie "
        f"{points(row['choice'])} points of {measure} above their means on seeds that took no "
        f"part in this choice{interval}: so much do seeds add to the gap between validation and "
        "test; what choosing on the same validation pairs adds is not in it."
    ]


def _interval(row: Mapping[Hashable, Any], name: str) -> str:
    """Return the interval of a part, not corrected, and whether it leaves out 0."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if np.isnan(low):
        return "no interval: one entity"
    verdict = "above 0" if low > 0 else "below 0" if high < 0 else "not told from 0"
    return f"{points(low)} to {points(high)}, {verdict}"
