"""What the best of fewer trials, drawn at random, would be expected to reach: table, sentences."""

from __future__ import annotations

import pandas as pd

from analysis.captions import score
from analysis.search_tables import search_history
from measures.budget import budget_band, expected_best
from measures.objective import SEED_MEAN

RANDOM = "start-up"  # of the origins of a trial: the one that looks at no other trial
LEAST = 4  # random trials of which a curve is drawn
_NOT_DRAWN = "What fewer trials, drawn at random, would be expected to reach is not shown: "


def random_budget(trials: pd.DataFrame) -> pd.DataFrame:
    """Return what the best of 1, 2, ... random trials is expected to be worth, a row each.

    The columns are ``drawn``, the number of trials, ``expected``, and ``low`` and ``high``, its
    95 % interval. No rows if the log does not tell which trials are random, or of fewer than
    ``LEAST``.

    Args:
        trials: ``Launch.trials``.
    """
    values = random_trials(trials)[SEED_MEAN].to_numpy(dtype=float)
    if len(values) < LEAST:
        return pd.DataFrame(columns=["drawn", "expected", "low", "high"])
    low, high = budget_band(values)
    return pd.DataFrame(
        {
            "drawn": range(1, len(values) + 1),
            "expected": expected_best(values),
            "low": low,
            "high": high,
        }
    )


def random_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that looked at no other: not given, and not proposed by TPE."""
    return trials[trials["origin"] == RANDOM] if "origin" in trials else trials.head(0)


def written_budget(budget: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of 1, 2, 4, 8, ... and of all trials, with intervals as text.

    Args:
        budget: Table ``random_budget``.
    """
    drawn = budget["drawn"].astype(int)
    rows = budget[(drawn & (drawn - 1) == 0) | (drawn == len(budget))]
    band = [f"{score(row['low'])} to {score(row['high'])}" for row in rows.to_dict("records")]
    return rows[["drawn", "expected"]].assign(band=band)


def about_budget(budget: pd.DataFrame, trials: pd.DataFrame, measure: str) -> list[str]:
    """Return what random trials are expected to reach beside the search, or why nothing is shown.

    Args:
        budget: Table ``random_budget``.
        trials: ``Launch.trials``.
        measure: Words for what the trials are ranked by.
    """
    if "origin" not in trials:
        return [f"{_NOT_DRAWN}the log, of an earlier version, does not tell who chose a trial."]
    drawn = random_trials(trials)
    if not len(budget):
        return [
            f"{_NOT_DRAWN}that takes at least {LEAST} trials of the start-up, and {len(drawn)} of "
            "this search finished."
        ]
    first, last = budget["expected"].iloc[0], budget["expected"].iloc[-1]
    best = search_history(trials)["best"].iloc[-1]
    sentences = [
        f"A random configuration is expected to have a {measure} of {score(first)}, the best of "
        f"{len(budget)} reached {score(last)}"
        + ("." if pd.isna(best) else f", the best of all {len(trials)} trials {score(best)}.")
    ]
    stopped = int(drawn["stopped"].notna().sum()) if "stopped" in drawn else 0
    if stopped:
        sentences.append(
            f"{stopped} of the {len(budget)} random trials were stopped early and count with what "
            "they had reached by then."
        )
    return sentences
