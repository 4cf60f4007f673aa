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
MOST_SEEDS = 10_000


def seeds_needed(deviation: float, difference: float) -> int:
    """Return how many seeds each of two trainings needs for their difference to be told.

    Args:
        deviation: Standard deviation of the score over seeds, the same in both; above 0.
        difference: Difference between the expected scores, above 0.

    Returns:
        From 2 to ``MOST_SEEDS``, which stands for more too.
    """
    solve = TTestIndPower().solve_power
    size = difference / deviation
    if solve(effect_size=size, nobs1=2, alpha=LEVEL, power=None) >= POWER:
        return 2
    if solve(effect_size=size, nobs1=MOST_SEEDS, alpha=LEVEL, power=None) < POWER:
        return MOST_SEEDS
    return int(np.ceil(solve(effect_size=size, nobs1=None, alpha=LEVEL, power=POWER)))


def least_difference(one: Predictions, other: Predictions, metric: str) -> float:
    """Return the least difference of two models that these entities show, whatever the seeds.

    It is 2.8 standard errors of the difference between the means over all seeds there might be, by
    a bootstrap of whole entities, the same for both. The means over the seeds that were run vary
    by more, since each seed is right about other entities: that part, which more seeds would make
    smaller, is taken away (Owen, 2007). Of a single seed it is not known, and stays.

    Args:
        one: Predictions of one model, of at least two entities.
        other: Predictions of the other for the same pairs.
        metric: One of ``METRICS``.
    """
    drawn = draw_entities(int(one.entities.max()) + 1, RESAMPLES, seed=0)
    left, right = (
        scores_by_seed(side, drawn, [metric])[metric] for side in (one, other)
    )  # (S, R)
    variance = np.nanvar(left.mean(axis=0) - right.mean(axis=0), ddof=1)
    variance -= _seed_part(left) + _seed_part(right)
    errors = norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)  # 2.8
    return float(errors * np.sqrt(max(variance, 0.0)))


def _seed_part(scores: np.ndarray) -> float:
    """Return the variance of the mean over seeds that more seeds would take away; 0 for one seed.

    Args:
        scores: A metric of each seed over resampled entities, float (S, R).
    """
    seeds = len(scores)
    if seeds == 1:
        return 0.0
    apart = np.nanvar(scores - scores.mean(axis=0), axis=1, ddof=1).sum() / (seeds - 1)
    return float(apart / seeds)
