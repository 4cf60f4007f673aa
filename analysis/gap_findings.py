"""Table and sentences on the gap between validation and test, for the page."""

from __future__ import annotations

import pandas as pd

from analysis.captions import points

_NAMES = {
    "auc": "AUC, which needs no threshold,",
    "f1": "F1 at the threshold that was chosen on validation",
}


def written_gaps(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``gaps`` for a page: one row per model, intervals as text."""
    rows = []
    for (model, seeds), part in gaps.groupby(["model", "seeds"], sort=False):
        row: dict[str, object] = {"model": model, "seeds": seeds}
        for cell in part.to_dict("records"):
            metric = cell["metric"]
            row[f"{metric}_gap"] = cell["gap"]
            row[f"{metric}_baseline_gap"] = cell["baseline_gap"]
            row[f"{metric}_excess"] = (
                f"{points(cell['excess'])} [{points(cell['low'])}, {points(cell['high'])}]"
            )
        rows.append(row)
    return pd.DataFrame(rows)


def about_gaps(gaps: pd.DataFrame, baseline: str) -> list[str]:
    """Return how far validation lies above test for the baseline, and for the models beyond it.

    Args:
        gaps: Table ``gaps``.
        baseline: Name of the baseline.
    """
    sentences = []
    for metric, part in gaps.groupby("metric", sort=False):
        told = "; ".join(
            f"{points(row['excess'])} with {row['model']} ({points(row['low'])} to "
            f"{points(row['high'])}, {_verdict(row['low'], row['high'])})"
            for row in part.to_dict("records")
        )
        sentences.append(
            f"{_NAMES[str(metric)]} differs between validation and test by "
            f"{points(part['baseline_gap'].iloc[0])} points for {baseline}, of which nothing "
            f"but a threshold was chosen; beyond that, the gap in points is {told}."
        )
    if (gaps["seeds"] == 1).any():
        sentences.append("The interval of the gap of a single seed is of entities alone.")
    return sentences


def _verdict(low: float, high: float) -> str:
    """Return whether the interval, not corrected, leaves out 0."""
    return "above 0" if low > 0 else "below 0" if high < 0 else "not told from 0"
