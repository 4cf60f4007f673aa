"""Intervals and tests that take clusters of pairs by entity and differences by seed into account.

Shapes: S seeds, N pairs of the test split, E entities, R resamples. The four counts are tn, fp,
fn, tp: true and false negatives and positives in the order of a confusion matrix.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from statsmodels.stats.multitest import multipletests

METRICS = ("accuracy", "f1", "precision", "recall", "auc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """A model's predictions for the test pairs, one row for each seed.

    Attributes:
        labels: Classes, 0 or 1, int (N,).
        entities: Codes of the pairs' entities, int (N,), from 0.
        probabilities: Probabilities of class 1, float (S, N).
        seeds: Seeds, int (S,).
        thresholds: Lowest probability that counts as a paraphrase, float (S,).
        fixed: Whether there is nothing random in the model, so that its one row is all there is to
            know of it: a baseline without seeds, or what is asked is of these very predictions.
    """

    labels: np.ndarray
    entities: np.ndarray
    probabilities: np.ndarray
    seeds: np.ndarray
    thresholds: np.ndarray
    fixed: bool = False

    @property
    def by_one_seed(self) -> bool:
        """Return whether seeds would make it vary, but only one was run: no one knows how far."""
        return len(self.seeds) == 1 and not self.fixed

    @property
    def decisions(self) -> np.ndarray:
        """Return which pairs are predicted to be paraphrases, bool (S, N)."""
        return self.probabilities >= self.thresholds[:, None]

    def at(self, threshold: float) -> Predictions:
        """Return the same probabilities with one threshold for all seeds."""
        return replace(self, thresholds=np.full(len(self.seeds), threshold))


def entity_counts(predictions: Predictions) -> np.ndarray:
    """Return the confusion counts of each entity, (S, E, 4)."""
    entities = int(predictions.entities.max()) + 1
    cells = 2 * predictions.labels + predictions.decisions  # (S, N), 0 to 3
    positions = 4 * predictions.entities + cells
    flat = [np.bincount(row, minlength=4 * entities) for row in positions]
    return np.stack(flat).reshape(len(flat), entities, 4)


def count_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return accuracy, precision, recall and F1 (...) of counts (..., 4); 0 where undefined."""
    tn, fp, fn, tp = np.moveaxis(counts.astype(float), -1, 0)
    return {
        "accuracy": (tn + tp) / (tn + fp + fn + tp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
    }


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def weighted_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve, float (R,): NaN where a class has no weight.

    It is the chance that a positive pair has a higher score than a negative one; ties count a half
    (Mann and Whitney, 1947).

    Args:
        labels: Classes, 0 or 1, int (N,).
        scores: Scores that rank the pairs, float (N,).
        weights: Number of copies of each pair in each resample, (R, N).
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    positive = np.add.reduceat(weights[:, order] * labels[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * (1 - labels[order]), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    possible = (positive.sum(axis=1) * negative.sum(axis=1)).astype(float)
    undefined = np.full(len(weights), np.nan)
    return np.divide((positive * below).sum(axis=1), possible, out=undefined, where=possible > 0)


def draw_entities(entities: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each entity is drawn in each resample with replacement, int (R, E)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(entities, np.full(entities, 1 / entities), size=resamples)


def effective_entities(entities: np.ndarray) -> float:
    """Return how many entities of equal size would tell as much (Kish, 1965), from 1.

    Args:
        entities: Codes of the pairs' entities, int (N,).
    """
    sizes = np.bincount(entities).astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def scores_by_seed(
    predictions: Predictions, drawn: np.ndarray, metrics: Collection[str] = METRICS
) -> dict[str, np.ndarray]:
    """Return each metric of each seed, float (S, R), over resampled entities.

    Args:
        predictions: Predictions of one model.
        drawn: Counts from ``draw_entities``, the same for models that are compared.
        metrics: Some of ``METRICS``.
    """
    counts = np.einsum("re,sec->src", drawn, entity_counts(predictions), optimize=True)
    scores = {name: found for name, found in count_scores(counts).items() if name in metrics}
    if "auc" in metrics:
        weights = drawn[:, predictions.entities]  # (R, N)
        areas = [weighted_auc(predictions.labels, p, weights) for p in predictions.probabilities]
        scores["auc"] = np.stack(areas)
    return scores


def point_scores(
    predictions: Predictions, metrics: Collection[str] = METRICS
) -> dict[str, np.ndarray]:
    """Return each metric for each seed, float (S,)."""
    once = np.ones((1, int(predictions.entities.max()) + 1), dtype=int)
    return {
        name: found[:, 0] for name, found in scores_by_seed(predictions, once, metrics).items()
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A score of one model: of each seed as it is, (S,), and over resampled entities, (S, R)."""

    points: np.ndarray
    resampled: np.ndarray

    @property
    def seed_variance(self) -> float:
        """Return the variance of the seeds on infinitely many entities; 0 for a single seed.

        That of the points has a part that comes from seeds being right about different entities.
        The resamples vary by that part already: it is their variance around the mean of the seeds,
        and taken away here (the method of moments for two crossed samples; Owen, 2007).
        """
        seeds = len(self.points)
        if seeds == 1:
            return 0.0
        defined = self.resampled[:, ~np.isnan(self.resampled).any(axis=0)]
        if not defined.size:
            return float(self.points.var(ddof=1))
        apart = (defined - defined.mean(axis=0)).var(axis=1).sum() / (seeds - 1)
        return max(0.0, float(self.points.var(ddof=1) - apart))


def plausible_values(sides: Sequence[Side], effective: float, seed: int) -> np.ndarray:
    """Return plausible values, float (R,), of a mean over all seeds and entities there might be.

    They are those of a bootstrap over entities with two corrections. Few entities vary too little
    when they are drawn with replacement, as if a normal deviation was taken for Student's: each
    resample's is stretched as that distribution asks, with one degree of freedom less than there
    are effective entities. Few seeds drawn with replacement would vary too little by far: each
    resample has an error of the seeds instead, Student's t times their standard error. A model
    with a single seed has none. NaN stands where a resample has no score.

    Args:
        sides: The score of one model, or those of two, for the first mean minus the second; their
            entities are the same, their seeds have nothing in common.
        effective: Number from ``effective_entities``.
        seed: Seed of the random draws.
    """
    generator = np.random.default_rng(seed)
    resamples = sides[0].resampled.shape[1]
    freedom, seeds = max(effective - 1, 1.0), sum(len(side.points) - 1 for side in sides)
    stretch = np.sqrt(freedom / generator.chisquare(freedom, resamples))
    student = generator.standard_t(seeds, resamples) if seeds else np.zeros(resamples)
    means = [sign * side.points.mean() for sign, side in zip((1, -1), sides, strict=False)]
    drawn = [
        sign * side.resampled.mean(axis=0) for sign, side in zip((1, -1), sides, strict=False)
    ]
    error = np.sqrt(sum(side.seed_variance / len(side.points) for side in sides))
    return sum(means) + stretch * (sum(drawn) - sum(means)) + error * student


def resample_rate(
    wrong: np.ndarray, entities: np.ndarray, drawn: np.ndarray, seed: int
) -> np.ndarray:
    """Return plausible values of the error rate of some pairs, float (R,), from 0 to 1.

    It is NaN where a resample has none of the pairs, and everywhere if they are of one entity.

    Args:
        wrong: Which of the pairs are predicted wrongly, bool (S, N).
        entities: Codes of these pairs' entities, int (N,).
        drawn: Counts from ``draw_entities``.
        seed: Seed of the random draws.
    """
    codes = drawn.shape[1]
    sizes = drawn @ np.bincount(entities, minlength=codes)  # (R,)
    errors = np.stack([np.bincount(entities, row, minlength=codes) for row in wrong]) @ drawn.T
    rates = np.full(errors.shape, np.nan)  # (S, R)
    effective = effective_entities(entities)
    if effective > 1:
        np.divide(errors, sizes, out=rates, where=sizes > 0)
    side = Side(points=wrong.mean(axis=1), resampled=rates)
    return plausible_values([side], effective, seed).clip(0, 1)


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of plausible values (Efron and Tibshirani, 1993).

    Resamples in which the value is undefined (NaN: an AUC with one class) are left out; NaN comes
    back if all are.
    """
    if np.isnan(values).all():
        return np.nan, np.nan
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def two_sided_p(values: np.ndarray) -> float:
    """Return the p-value of the difference that these are plausible values of, float (R,).

    It is below .05 where the 95 % interval of the same values leaves out 0, and never 0.
    """
    values = values[~np.isnan(values)]
    rarer = min((values <= 0).sum(), (values >= 0).sum())
    return min(1.0, 2 * float(rarer + 1) / (len(values) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for multiple comparisons (Holm, 1979); NaN stays."""
    found = np.asarray(p_values, dtype=float)
    told = ~np.isnan(found)
    if told.any():
        found[told] = multipletests(found[told], method="holm")[1]
    return found.tolist()
