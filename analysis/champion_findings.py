"""Sentences on a search's champion: what it scores on test, and against the baseline."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from analysis.captions import points, score
from analysis.findings import CHOSEN, about_differences

_VALIDATION = "validation"  # name of the threshold that was chosen there
_METRICS = {"f1": "F1", "accuracy": "accuracy", "auc": "AUC"}


def in_short(scores: pd.DataFrame) -> list[str]:
    """Return the champion's test scores beside the baseline's; nothing without both.

    Args:
        scores: Table that the search logged: one row per model, threshold and metric.
    """
    found = scores[scores["threshold"].astype(str) == _VALIDATION]
    rows: dict[str, dict[str, dict[Hashable, Any]]] = {}  # by model and metric
    for row in found.to_dict("records"):
        rows.setdefault(str(row["model"]), {})[str(row["metric"])] = row
    if "champion" not in rows or len(rows) == 1:
        return []
    own, (baseline, base) = rows["champion"], list(rows.items())[-1]
    told = [
        f"{words} {score(own[name]['mean'])} (95 % interval {score(own[name]['low'])} to "
        f"{score(own[name]['high'])})"
        for name, words in _METRICS.items()
    ]
    compared = [f"{words} {score(base[name]['mean'])}" for name, words in _METRICS.items()]
    return [
        f"The search's champion reaches on test, {CHOSEN}, as the mean of {own['f1']['seeds']} "
        f"fresh seeds: {', '.join(told)}. The baseline, {baseline}: {', '.join(compared)}."
    ]


def about_champion(difference: pd.DataFrame) -> list[str]:
    """Return how the champion and its ensemble compare with the baseline on test.

    Args:
        difference: Table that the search logged: one row per comparison with the baseline.
    """
    if "f1_p_holm" not in difference:  # logs of earlier versions
        return [
            f"At the threshold chosen on validation, test F1 of the {row['model']} differs from "
            f"that of {row['other']} by {points(row['f1'])} points (95 % interval "
            f"{points(row['f1_low'])} to {points(row['f1_high'])}, not corrected)."
            for row in difference.to_dict("records")
        ]
    chosen = difference["threshold"].astype(str) == "validation"
    named = {"model": "the " + difference["model"].astype(str)}
    return [
        *about_differences(difference.assign(**named)[chosen], CHOSEN),
        *about_differences(difference.assign(**named)[~chosen], "at 0.5"),
    ]
