"""Sentences on what predicted probabilities are worth, from tables alone."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd


def about_slopes(slopes: pd.DataFrame) -> list[str]:
    """Return for each target Platt's slope of every model, and what it says.

    Args:
        slopes: Table ``platt_slopes``.
    """
    sentences = []
    for against, part in slopes.groupby("against", sort=False):
        known = part[part["slope"].notna()]
        if not len(known):
            continue
        told = "; ".join(_slope(row) for row in known.to_dict("records"))
        sentences.append(
            f"Platt's slope, of the {against} on the logits (1 if the probabilities are right, "
            f"below 1 if they are too sure of themselves; Platt, 1999): {told}."
        )
    return sentences


def _slope(row: Mapping[Hashable, Any]) -> str:
    """Return the slope of a model with its interval, and a verdict if the interval gives one."""
    told = f"{row['slope']:.2f} with {row['model']}"
    if pd.isna(row["low"]):
        return told
    verdict = ""
    if row["high"] < 1:
        verdict = ", too sure"
    elif row["low"] > 1:
        verdict = ", not sure enough"
    interval = f"95 % interval over entities {row['low']:.2f} to {row['high']:.2f}"
    return f"{told} ({interval}{verdict})"
