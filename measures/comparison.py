"""Comparison of models: scores with intervals over seeds and entities, and their differences."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from measures.intervals import (
    METRICS,
    Predictions,
    draw_entities,
    holm,
    interval,
    mcnemar_p,
    permutation_p,
    point_scores,
    resample,
    scores_by_seed,
)

RESAMPLES = 2000
PERMUTATIONS = 5000


def entity_codes(groups: pd.Series) -> np.ndarray:
    """Return the code of each pair's entity, int from 0; a pair without a group is its own entity.

    Args:
        groups: Names of the groups, "" where a pair has none.
    """
    own = "\0" + pd.Series(np.arange(len(groups)), index=groups.index).astype(str)
    return pd.factorize(groups.where(groups != "", own))[0]


def scores_with_intervals(models: Mapping[str, Predictions]) -> pd.DataFrame:
    """Return one row for each ``model`` and ``metric``.

    ``mean`` and ``std`` are over the ``seeds`` seeds (``std`` is NaN for one seed), ``low`` and
    ``high`` bound the 95 % interval over seeds and whole entities together.
    """
    rows = []
    for model, predictions in models.items():
        drawn = draw_entities(int(predictions.entities.max()) + 1, RESAMPLES, seed=0)
        resampled = resample(predictions, drawn, seed=1)
        points = point_scores(predictions)
        for metric in METRICS:
            values = points[metric]
            low, high = interval(resampled[metric])
            rows.append(
                {
                    "model": model,
                    "metric": metric,
                    "mean": values.mean(),
                    "std": values.std(ddof=1) if len(values) > 1 else np.nan,
                    "seeds": len(values),
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(rows)


def declared_comparisons(modes: list[str], baseline: str | None) -> list[tuple[str, str]]:
    """Return the comparisons to make, as (model, other).

    They are each freezing mode with every earlier one, then each mode with the baseline if there
    is one.
    """
    pairs = [(later, earlier) for earlier, later in combinations(modes, 2)]
    return pairs + ([(mode, baseline) for mode in modes] if baseline else [])


def differences(
    models: Mapping[str, Predictions], declared: list[tuple[str, str]]
) -> pd.DataFrame:
    """Return one row for each declared comparison, with the scores of ``model`` minus ``other``.

    It has the differences in accuracy, F1 and AUC with 95 % intervals over seeds and entities
    (``f1``, ``f1_low``, ``f1_high`` ...), the p-values of the permutation test of F1
    (``permutation_p``) and of McNemar's test of accuracy (``mcnemar_p``), and all p-values
    corrected together by Holm's method (``..._holm``).
    """
    rows = []
    for model, other in declared:
        one, two = models[model], models[other]
        drawn = draw_entities(int(one.entities.max()) + 1, RESAMPLES, seed=0)
        left, right = resample(one, drawn, seed=1), resample(two, drawn, seed=2)
        row: dict[str, object] = {"model": model, "other": other}
        for metric in ("accuracy", "f1", "auc"):
            row[metric] = point_scores(one)[metric].mean() - point_scores(two)[metric].mean()
            row[f"{metric}_low"], row[f"{metric}_high"] = interval(left[metric] - right[metric])
        row["permutation_p"] = permutation_p(one, two, PERMUTATIONS, seed=3)
        row["mcnemar_p"] = mcnemar_p(one, two)
        rows.append(row)
    table = pd.DataFrame(rows)
    if rows:
        corrected = holm([*table["permutation_p"], *table["mcnemar_p"]])
        table["permutation_p_holm"] = corrected[: len(rows)]
        table["mcnemar_p_holm"] = corrected[len(rows) :]
    return table


def gain_of_trainings(one: Predictions, other: Predictions, metric: str) -> dict[str, float]:
    """Return how much a training gains on another on new seeds and new entities.

    ``gain`` is the difference of the means over seeds, ``low`` and ``high`` bound its 95 %
    interval, ``p`` is two-sided. All but the gain are NaN if there are fewer than two seeds on
    either side, or fewer than two entities.

    One bootstrap gives interval and p. Each resample draws whole entities, the same for both
    sides, and then an error of the seeds: Student's t times the standard error of the difference
    between unpaired means. A few seeds drawn with replacement would vary too little, and
    trainings that differ by seed alone would too often be told apart.

    Args:
        one: Predictions of one training with several seeds.
        other: Predictions of the other for the same pairs, each with seeds of its own.
        metric: One of ``METRICS``.
    """
    gain = float(point_scores(one)[metric].mean() - point_scores(other)[metric].mean())
    entities = int(one.entities.max()) + 1
    if min(len(one.seeds), len(other.seeds), entities) < 2:
        return {"gain": gain, "low": np.nan, "high": np.nan, "p": np.nan}
    drawn = draw_entities(entities, RESAMPLES, seed=0)
    left, right = (scores_by_seed(side, drawn)[metric] for side in (one, other))  # (S, R) each
    error = np.sqrt(sum(side.var(axis=0, ddof=1) / len(side) for side in (left, right)))
    student = np.random.default_rng(1).standard_t(len(left) + len(right) - 2, len(drawn))
    gains = left.mean(axis=0) - right.mean(axis=0) + error * student
    gains = gains[~np.isnan(gains)]  # an AUC needs both classes
    low, high = interval(gains)
    rarer = min((gains <= 0).sum(), (gains >= 0).sum())
    return {
        "gain": gain,
        "low": low,
        "high": high,
        "p": min(1.0, 2 * float(rarer + 1) / (len(gains) + 1)),
    }
