"""What an experiment can show: seeds that a difference needs, and the least that a split shows.

Both are for a two-sided test at the level .05 that finds what is there in 80 % of all cases, the
convention of Cohen (1988), Statistical Power Analysis for the Behavioral Sciences.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from statsmodels.stats.power import TTestIndPower

from measures.comparison import RESAMPLES
from measures.intervals import Predictions, draw_entities, scores_by_seed

LEVEL, POWER = 0.05, 0.8
_MOST_SEEDS = 10_000


def seeds_needed(deviation: float, difference: float) -> int:
    """Return how many seeds each of two trainings needs for their difference to be told.

    Args:
        deviation: Standard deviation of the score over seeds, the same in both; above 0.
        difference: Difference between the expected scores, above 0.
    """
    solve = TTestIndPower().solve_power
    size = difference / deviation
    if solve(effect_size=size, nobs1=2, alpha=LEVEL, power=None) >= POWER:
        return 2
    if solve(effect_size=size, nobs1=_MOST_SEEDS, alpha=LEVEL, power=None) < POWER:
        return _MOST_SEEDS
    return int(np.ceil(solve(effect_size=size, nobs1=None, alpha=LEVEL, power=POWER)))


def least_difference(one: Predictions, other: Predictions, metric: str) -> float:
    """Return the least difference of two models that these entities show, whatever the seeds.

    It is 2.8 standard errors of the difference between the means over seeds, by a bootstrap of
    whole entities, the same for both: more seeds do not make it smaller.

    Args:
        one: Predictions of one model, of at least two entities.
        other: Predictions of the other for the same pairs.
        metric: One of ``METRICS``.
    """
    drawn = draw_entities(int(one.entities.max()) + 1, RESAMPLES, seed=0)
    left, right = (scores_by_seed(side, drawn)[metric].mean(axis=0) for side in (one, other))
    errors = norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)  # 2.8
    return float(errors * np.nanstd(left - right, ddof=1))
