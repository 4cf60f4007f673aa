"""What configurations are worth on fresh seeds: which is champion, which levers help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tuning.levers import Ablation
from tuning.search_launch import (
    Retrained,
)

VALUE = "val_f1_at_threshold"


class SearchError(RuntimeError):
    """A search that ends without a champion; the message says why and what is kept."""


def value_of(metrics: Mapping[str, float], floor: float) -> float:
    """Return what a trial is worth to a search: of a flagged one, what "all positive" scores.

    A search's own trial says it itself: the mean over its seeds, of which some may be flagged.
    """
    if "objective" in metrics:
        return metrics["objective"]
    flagged = metrics.get("collapsed") or metrics.get("diverged")
    return floor if flagged else max(metrics[VALUE], floor)


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

    Only seeds that finished on both sides count. ``verdict`` is ``helps`` or ``hurts`` where the
    95 % interval of the paired difference (Student's t over seeds) excludes 0; it is corrected
    neither for the number of levers, nor for the champion having been chosen on these seeds.
    ``used`` says whether the champion has the lever on.
    """
    rows = [
        _row(
            ablation,
            ablated.get(f"with-{ablation.lever.field}", champion),
            ablated.get(f"without-{ablation.lever.field}", champion),
            floor,
        )
        for ablation in (ablations if ablated else [])
    ]
    return pd.DataFrame(rows)


def _row(
    ablation: Ablation, with_it: Retrained, without: Retrained, floor: float
) -> dict[str, Any]:
    both = [
        (value_of(one.metrics, floor), value_of(other.metrics, floor))
        for one, other in zip(with_it.outcomes, without.outcomes, strict=True)
        if one.cause is None and other.cause is None
    ]
    one, other = np.array(both, dtype=float).reshape(-1, 2).T
    count, gain = len(both), float((one - other).mean()) if both else np.nan
    spread = [v.std(ddof=1) if count > 1 else np.nan for v in (one, other, one - other)]
    reach = float(stats.t.ppf(0.975, max(count - 1, 1)) * spread[2] / max(count, 1) ** 0.5)
    verdict = "cannot be told"
    if abs(gain) > reach:
        verdict = "helps" if gain > 0 else "hurts"
    return {
        "lever": ablation.lever.name,
        "on": getattr(ablation.with_it, ablation.lever.field),
        "with": one.mean() if count else np.nan,
        "with_std": spread[0],
        "without": other.mean() if count else np.nan,
        "without_std": spread[1],
        "gain": gain,
        "low": gain - reach,
        "high": gain + reach,
        "seeds": count,
        "verdict": verdict,
        "used": ablation.used,
    }
