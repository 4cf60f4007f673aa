"""Exponents of growth: how costs rise with the size of the work, fitted with an interval."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import f as f_distribution

_EXPONENTS = np.arange(1, 301) / 100  # those tried
_LEVEL = 0.95
COSTS = ("seconds", "driver_mb", "worker_mb", "disk_mb")
AXES = {  # column of sizes and costs of each part of scaling.py whose growth is fitted
    "trials": ("trials", COSTS),
    "pairs": ("times", ("first_seconds", "training", *COSTS)),
    "depth": ("trained_layers", ("training", *COSTS)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """A fitted cost ``constant + factor * size ** exponent``.

    ``low`` and ``high`` bound the exponent with 95 % confidence. ``smallest`` and ``largest`` are
    the median costs at the ends, and ``grows`` is whether a constant fits worse than noise allows;
    if not, the exponent means nothing.
    """

    constant: float
    exponent: float
    low: float
    high: float
    grows: bool
    smallest: float
    largest: float

    @property
    def written(self) -> str:
        """Return the exponent with its interval, or that there is no growth."""
        if not self.grows:
            return "does not grow"
        return f"{self.exponent:.2f} ({self.low:.2f} to {self.high:.2f})"

    @property
    def at_most_linear(self) -> str:
        """Return ``yes``, ``no`` (the interval lies above 1), or ``not shown``.

        ``yes`` needs an interval that excludes 2, quadratic growth, or no growth at all.
        """
        if not self.grows:
            return "yes"
        if self.low > 1:
            return "no"
        return "yes" if self.high < 2 else "not shown"


def fit_growth(sizes: Sequence[float], costs: Sequence[float]) -> Growth:
    """Return the fit to measured costs, by least squares of the relative errors.

    Noise is taken to be a share of the cost. For each exponent the best constant and factor, not
    negative, are a linear problem (variable projection, Golub and Pereyra, 1973); the interval
    holds the exponents whose sum of squares is not larger than the least one by more than noise
    explains (profile interval, Bates and Watts, 1988, section 6.1).

    Args:
        sizes: Size of each measurement, at least 0; repeated measurements repeat it.
        costs: Cost of each, above 0.

    Raises:
        ValueError: If there are fewer than 4 measurements or 3 sizes.
    """
    size, cost = np.asarray(sizes, float), np.asarray(costs, float)
    free = len(cost) - 3  # degrees of freedom
    if free < 1 or len(set(sizes)) < 3:
        raise ValueError(f"a fit needs 4 measurements of 3 sizes, got {len(cost)} of {set(sizes)}")
    fits = [_fit(size, cost, exponent) for exponent in _EXPONENTS]
    squares = np.array([square for _, square in fits])
    best = int(squares.argmin())
    least = max(squares[best], 1e-12)  # exact costs: their rounding
    inside = _EXPONENTS[squares <= least * (1 + f_distribution.ppf(_LEVEL, 1, free) / free)]
    level = (1 / cost).sum() / (1 / cost**2).sum()  # of the best constant
    flat = ((1 - level / cost) ** 2).sum()
    noise = least * (1 + 2 * f_distribution.ppf(_LEVEL, 2, free) / free)
    ends = [
        statistics.median(c for s, c in zip(sizes, costs, strict=True) if s == end)
        for end in (min(sizes), max(sizes))
    ]
    return Growth(
        constant=fits[best][0],
        exponent=float(_EXPONENTS[best]),
        low=float(inside[0]),
        high=float(inside[-1]),
        grows=bool(flat > noise),
        smallest=ends[0],
        largest=ends[1],
    )


def _fit(size: np.ndarray, cost: np.ndarray, exponent: float) -> tuple[float, float]:
    """Return the best constant for an exponent, and the sum of squared relative errors."""
    terms = np.stack([1 / cost, size**exponent / cost], axis=1)
    (constant, _), error = nnls(terms, np.ones_like(cost))
    return float(constant), float(error**2)


def fit_rows(
    rows: Sequence[Mapping[str, float]], size: str, costs: Sequence[str]
) -> dict[str, Growth]:
    """Return the fit of each named cost of a table of measurements by its column of sizes."""
    sizes = [row[size] for row in rows]
    return {cost: fit_growth(sizes, [row[cost] for row in rows]) for cost in costs}
