"""Expected best score of a number of random trials: what a search of that budget would find.

Shapes: N trials, R resamples of them.
"""

from __future__ import annotations

import numpy as np

from measures.intervals import interval

RESAMPLES = 1000


def expected_best(values: np.ndarray) -> np.ndarray:
    """Return the expected maximum of 1, 2, ..., N of the trials, drawn without replacement.

    This is the expected validation score by budget (Dodge et al., 2019, "Show Your Work") in its
    unbiased form (Tang et al., 2020, "Showing Your Work Doesn't Always Work"): the mean of the
    maximum over all subsets of that size, where the first draws with replacement and is too low.

    Args:
        values: What each trial is worth, float (..., N); at least one.

    Returns:
        Float (..., N), never falling: the mean first, the maximum last.
    """
    count = values.shape[-1]
    drawn = np.arange(count)[:, None]  # by the draws before one
    below = np.arange(count + 1)  # by the number of trials up to one of them
    # of all subsets of n trials, the share within the k lowest: (k / N) ((k - 1) / (N - 1)) ...
    within = np.cumprod(np.maximum(below - drawn, 0) / (count - drawn), axis=0)  # (N, N + 1)
    return np.sort(values, axis=-1) @ np.diff(within, axis=1).T


def budget_band(values: np.ndarray, resamples: int = RESAMPLES) -> np.ndarray:
    """Return the 95 % interval of ``expected_best`` over trials drawn with replacement, (2, N).

    No resample has a better trial than the best: near N the upper end is too low.

    Args:
        values: What each trial is worth, float (N,).
        resamples: Number of resamples.
    """
    rows = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    curves = expected_best(values[rows])  # (R, N)
    return np.array([interval(curve) for curve in curves.T]).T
