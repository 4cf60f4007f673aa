"""What configurations are worth on fresh seeds: which is champion, which levers help."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tuning.levers import Ablation
from tuning.search_launch import (
    Retrained,
)

VALUE = "val_f1_at_threshold"


class SearchError(RuntimeError):
    """A search that ends without a champion; the message says why and what is kept."""


def value_of(metrics: Mapping[str, float], floor: float) -> float:
    """Return what a trial is worth to a search: of a flagged one, what "all positive" scores."""
    flagged = metrics.get("collapsed") or metrics.get("diverged")
    return floor if flagged else max(metrics.get("objective", metrics[VALUE]), floor)


def choose(confirmed: Mapping[str, Retrained], floor: float) -> str:
    """Return the name of the configuration with the best mean validation score.

    A seed that failed, collapsed or diverged counts as "all positive".

    Raises:
        SearchError: If every seed of every configuration failed.
    """
    if all(outcome.cause is not None for r in confirmed.values() for outcome in r.outcomes):
        raise SearchError("no configuration could be retrained: every fresh seed failed")
    return max(confirmed, key=lambda name: float(np.mean(seed_values(confirmed[name], floor))))


def seed_values(retrained: Retrained, floor: float) -> list[float]:
    """Return what each seed is worth."""
    return [
        floor if outcome.cause is not None else value_of(outcome.metrics, floor)
        for outcome in retrained.outcomes
    ]


def ablation_rows(
    ablations: list[Ablation],
    champion: Retrained,
    ablated: Mapping[str, Retrained],
    floor: float,
) -> pd.DataFrame:
    """Return a row a lever: validation F1 with and without it, over seeds, and the difference.

    ``helps`` says whether the mean difference is above its standard error over seeds; ``used``
    whether the champion has the lever on.
    """
    rows = []
    for ablation in ablations if ablated else []:
        field = ablation.lever.field
        with_it = ablated.get(f"with-{field}", champion)
        without = ablated.get(f"without-{field}", champion)
        one, other = (np.array(seed_values(r, floor)) for r in (with_it, without))
        gain = one - other
        error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
        rows.append(
            {
                "lever": ablation.lever.name,
                "on": getattr(ablation.with_it, field),
                "with": one.mean(),
                "with_std": one.std(ddof=1),
                "without": other.mean(),
                "without_std": other.std(ddof=1),
                "gain": gain.mean(),
                "standard_error": error,
                "seeds": len(gain),
                "helps": bool(gain.mean() > error),
                "used": ablation.used,
            }
        )
    return pd.DataFrame(rows)
