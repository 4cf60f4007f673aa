"""Table of how far validation scores lie above test scores, split into its parts.

Shapes: S seeds, N pairs, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.theme import mode_name
from measures.comparison import RESAMPLES
from measures.intervals import (
    Predictions,
    Side,
    draw_entities,
    effective_entities,
    interval,
    plausible_values,
    point_scores,
    scores_by_seed,
)
from measures.metrics import choose_threshold
from measures.objective import VALIDATION_F1, ThresholdRule

GAP_METRICS = ("auc", "f1")
FOLDS, DEALS = 10, 8  # of validation entities, each decided at a threshold from the others
_EPOCH_SCORES = {"auc": "val_auc", "f1": VALIDATION_F1}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Gap:
    """Parts of a model's gap in one metric: what its threshold adds, and all the rest."""

    threshold: Side
    rest: Side


def gaps(
    validation: Mapping[str, Predictions],
    test: Mapping[str, Predictions],
    baseline: str,
    rules: Mapping[str, ThresholdRule],
) -> pd.DataFrame:
    """Return for each model its validation score minus its test score, as a sum of three parts.

    ``threshold`` is what F1 on validation loses if each pair is decided at a threshold that was
    chosen on other entities (``decided_across``). ``harder`` is the rest of the gap for the
    baseline, of which nothing else was ever chosen: the test split is so much harder. ``left`` is
    what remains. No part chooses anything on test.

    Args:
        validation: Predictions for the validation pairs by the model's name.
        test: Predictions of the same trainings for the test pairs.
        baseline: Model whose gap is taken from that of the others.
        rules: Rule by which the thresholds of each were chosen.

    Returns:
        A row for each other model and each of ``GAP_METRICS``: ``model``, ``metric``, ``seeds``,
        ``gap``, and each part with its 95 % interval (``left``, ``left_low``, ``left_high``),
        over seeds and over the entities of both splits, which are drawn separately. Intervals are
        NaN if either split has a single entity, and AUC has no threshold.
    """
    effective = min(effective_entities(part[baseline].entities) for part in (validation, test))
    found = {name: _gap(validation[name], test[name], rules[name]) for name in test}
    rows = []
    for model in (name for name in test if name != baseline):
        for metric in GAP_METRICS:
            own, known = found[model][metric], found[baseline][metric]
            gap = float(own.rest.points.mean() + own.threshold.points.mean())
            row = {"model": model, "metric": metric, "seeds": len(test[model].seeds), "gap": gap}
            row |= _part("harder", [known.rest], effective)
            row |= _part("threshold", [own.threshold], effective if metric == "f1" else np.nan)
            rows.append(row | _part("left", [own.rest, known.rest], effective))
    return pd.DataFrame(rows)


def _part(name: str, sides: Sequence[Side], effective: float) -> dict[str, float]:
    """Return a part, the first side less the second, and its interval; all NaN without a part."""
    if np.isnan(effective):
        return {f"{name}{ending}": np.nan for ending in ("", "_low", "_high")}
    values = plausible_values(sides, effective, seed=2)
    low, high = interval(values) if effective > 1 else (np.nan, np.nan)
    means = [float(side.points.mean()) for side in sides]
    return {name: means[0] - sum(means[1:]), f"{name}_low": low, f"{name}_high": high}


def _gap(validation: Predictions, test: Predictions, rule: ThresholdRule) -> dict[str, _Gap]:
    """Return the parts of the gap by metric; both splits have resamples of their own."""
    drawn, others = (
        draw_entities(int(part.entities.max()) + 1, RESAMPLES, seed)
        for seed, part in enumerate((validation, test))
    )
    chosen, tested = _sides(validation, drawn, GAP_METRICS), _sides(test, others, GAP_METRICS)
    dealt = [decided_across(validation, rule, deal) for deal in range(DEALS)]
    deals = [_sides(decisions, drawn, ["f1"])["f1"] for decisions in dealt]
    across = {
        "auc": chosen["auc"],  # needs no threshold
        "f1": Side(
            points=np.mean([side.points for side in deals], axis=0),
            resampled=np.mean([side.resampled for side in deals], axis=0),
        ),
    }
    return {
        name: _Gap(
            threshold=_less(chosen[name], across[name]), rest=_less(across[name], tested[name])
        )
        for name in GAP_METRICS
    }


def _sides(predictions: Predictions, drawn: np.ndarray, metrics: Sequence[str]) -> dict[str, Side]:
    points = point_scores(predictions, metrics)
    resampled = scores_by_seed(predictions, drawn, metrics)
    return {name: Side(points=points[name], resampled=resampled[name]) for name in metrics}


def _less(one: Side, other: Side) -> Side:
    return Side(points=one.points - other.points, resampled=one.resampled - other.resampled)


def decided_across(predictions: Predictions, rule: ThresholdRule, deal: int) -> Predictions:
    """Return decisions, 0 or 1 in place of probabilities, at thresholds from other entities.

    The entities are dealt into ``FOLDS`` folds; the pairs of each are decided at the threshold
    that the rule chooses on all other folds. A single entity is dealt by its pairs.

    Args:
        predictions: Predictions of one model.
        rule: Rule by which thresholds are chosen.
        deal: Seed of the draw that deals.
    """
    several = predictions.entities.max() > 0
    codes = predictions.entities if several else np.arange(len(predictions.labels))
    dealt = np.random.default_rng(deal).permutation(int(codes.max()) + 1) % FOLDS
    fold_of = dealt[codes]  # (N,)
    decisions = np.empty_like(predictions.probabilities, dtype=float)  # (S, N)
    for fold in np.unique(fold_of):
        inside = fold_of == fold
        for row, probabilities in enumerate(predictions.probabilities):
            cut, _ = choose_threshold(predictions.labels[~inside], probabilities[~inside], rule)
            decisions[row, inside] = probabilities[inside] >= cut
    return replace(predictions, probabilities=decisions).at(0.5)


def epoch_parts(epochs: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return how far the kept epoch scores above the last one on validation, mean over seeds.

    A real difference between both epochs is in it, beside what choosing one of them adds.

    Args:
        epochs: ``Store.epochs``.
        trials: Trials to use, with ``best_epoch``, the kept one, where the log has it.

    Returns:
        ``model``, ``metric``, ``epoch`` and its 95 % interval over seeds (Student's t), ``low``
        and ``high`` as in ``gaps``: NaN for a single seed. A metric without a log has no rows.
    """
    last = epochs.sort_values("epoch").groupby("run_id").tail(1)
    logged = trials.reindex(columns=["run_id", "freezing", "best_epoch"])
    kept = logged.rename(columns={"best_epoch": "epoch"})
    both = kept.merge(epochs, on=["run_id", "epoch"]).merge(
        last, on="run_id", suffixes=("_kept", "_last")
    )
    rows = []
    for mode, part in both.groupby(both["freezing"].astype(str), sort=False):
        for metric in GAP_METRICS:
            found = _EPOCH_SCORES[metric]
            if f"{found}_last" in part:
                gains = part[f"{found}_kept"] - part[f"{found}_last"]
                row = {"model": mode_name(str(mode)), "metric": metric}
                rows.append(row | mean_over("epoch", gains))
    columns = ["model", "metric", "epoch", "epoch_low", "epoch_high"]
    return pd.DataFrame(rows, columns=columns)


def mean_over(name: str, values: pd.Series) -> dict[str, float]:
    """Return the mean of values and its 95 % interval, Student's t; NaN for a single value."""
    mean, count = float(values.mean()), len(values)
    if count == 1:
        return {name: mean, f"{name}_low": np.nan, f"{name}_high": np.nan}
    error = float(np.std(values.to_numpy(), ddof=1)) / count**0.5
    reach = float(stats.t.ppf(0.975, count - 1)) * error
    return {name: mean, f"{name}_low": mean - reach, f"{name}_high": mean + reach}
