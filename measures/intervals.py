"""Intervals and tests that take clusters of pairs by entity and differences by seed into account.

Shapes: S seeds, N pairs of the test split, E entities, R resamples. The four counts are tn, fp,
fn, tp: true and false negatives and positives in the order of a confusion matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
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
    """

    labels: np.ndarray
    entities: np.ndarray
    probabilities: np.ndarray
    seeds: np.ndarray
    thresholds: np.ndarray

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


def resample(predictions: Predictions, drawn: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return each metric, float (R,), over resampled entities and resampled seeds together.

    Args:
        predictions: Predictions of one model.
        drawn: Counts from ``draw_entities``, the same for models that are compared.
        seed: Seed of the random choice of the model's seeds.
    """
    scores = scores_by_seed(predictions, drawn)
    resamples, models = len(drawn), len(predictions.probabilities)
    chosen = np.random.default_rng(seed).integers(models, size=(models, resamples))
    positions = np.arange(resamples)
    return {name: values[chosen, positions].mean(axis=0) for name, values in scores.items()}


def scores_by_seed(predictions: Predictions, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Return each metric of each seed, float (S, R), over resampled entities.

    Args:
        predictions: Predictions of one model.
        drawn: Counts from ``draw_entities``.
    """
    counts = np.einsum("re,sec->src", drawn, entity_counts(predictions), optimize=True)
    weights = drawn[:, predictions.entities]  # (R, N)
    areas = [weighted_auc(predictions.labels, p, weights) for p in predictions.probabilities]
    return {**count_scores(counts), "auc": np.stack(areas)}


def resample_rate(
    wrong: np.ndarray, entities: np.ndarray, drawn: np.ndarray, seed: int
) -> np.ndarray:
    """Return the error rate of some pairs, float (R,), over resampled entities and seeds together.

    It is NaN where a resample has none of the pairs.

    Args:
        wrong: Which of the pairs are predicted wrongly, bool (S, N).
        entities: Codes of these pairs' entities, int (N,).
        drawn: Counts from ``draw_entities``.
        seed: Seed of the random choice of the model's seeds.
    """
    codes = drawn.shape[1]
    sizes = drawn @ np.bincount(entities, minlength=codes)  # (R,)
    errors = np.stack([np.bincount(entities, row, minlength=codes) for row in wrong]) @ drawn.T
    undefined = np.full(errors.shape, np.nan)  # (S, R)
    rates = np.divide(errors, sizes, out=undefined, where=sizes > 0)
    chosen = np.random.default_rng(seed).integers(len(wrong), size=rates.shape)
    return rates[chosen, np.arange(len(drawn))].mean(axis=0)


def point_scores(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return each metric for each seed, float (S,)."""
    scores = count_scores(entity_counts(predictions).sum(axis=1))
    everything = np.ones((1, len(predictions.labels)))
    areas = [weighted_auc(predictions.labels, p, everything) for p in predictions.probabilities]
    return {**scores, "auc": np.concatenate(areas)}


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of resampled values (Efron and Tibshirani, 1993).

    Resamples in which the value is undefined (NaN: an AUC with one class) are left out.
    """
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def permutation_p(one: Predictions, other: Predictions, permutations: int, seed: int) -> float:
    """Return the two-sided p-value of the difference in mean F1, entities swapped as a whole.

    This is a paired permutation test: under the null hypothesis the two models' predictions for
    an entity can be exchanged. Scores are averaged over the seeds of a model. A model with one
    seed is paired with each seed of the other; otherwise, if one model has more seeds, only as
    many of its first seeds are used. The observed difference counts as one of the permutations,
    so that p is never 0 (Phipson and Smyth, 2010).
    """
    first, second = entity_counts(one), entity_counts(other)
    if 1 in (len(first), len(second)):
        first, second = np.broadcast_arrays(first, second)
    count = min(len(first), len(second))
    first, second = first[:count], second[:count]
    swapped = np.random.default_rng(seed).random((permutations, first.shape[1])) < 0.5
    moved = np.einsum("pe,sec->spc", swapped, second - first, optimize=True)
    left = count_scores(first.sum(axis=1)[:, None] + moved)["f1"].mean(axis=0)
    right = count_scores(second.sum(axis=1)[:, None] - moved)["f1"].mean(axis=0)
    observed = count_scores(first.sum(axis=1))["f1"] - count_scores(second.sum(axis=1))["f1"]
    extreme = np.abs(left - right) >= abs(observed.mean()) - 1e-12
    return float((extreme.sum() + 1) / (permutations + 1))


def mcnemar_p(one: Predictions, other: Predictions) -> float:
    """Return the exact p-value of McNemar's test (1947) on the seed-averaged probabilities.

    The test assumes independent pairs, but pairs of an entity are not: read it together with the
    permutation test.
    """
    right = [
        (p.probabilities.mean(axis=0) >= p.thresholds.mean()) == p.labels for p in (one, other)
    ]
    table = np.array(
        [[np.sum(right[0] & right[1]), np.sum(right[0] & ~right[1])],
         [np.sum(~right[0] & right[1]), np.sum(~right[0] & ~right[1])]]
    )  # fmt: skip
    return float(getattr(mcnemar(table, exact=True), "pvalue"))  # noqa: B009 - set at run time


def holm(p_values: list[float]) -> list[float]:
    """Return the p-values corrected for multiple comparisons (Holm, 1979)."""
    return np.asarray(multipletests(p_values, method="holm")[1]).tolist() if p_values else []
