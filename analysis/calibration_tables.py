"""Tables of what predicted probabilities are worth: reliability, Platt's slope, precision-recall.

Shapes: S seeds, N test pairs, R recalls. A target is a pair's label, or the share of its votes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.metrics import precision_recall_curve
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from measures.intervals import Predictions

LABELS, VOTES = "labels", "shares of votes"
BINS = 10
RECALLS = np.linspace(0.01, 1, 100)
_NEAREST = 1e-7  # of a probability to 0 or 1, so that it has log-odds


def targets_of(test: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what probabilities are held against, each float (N,): labels, and votes if known.

    Args:
        test: Test pairs with ``label``, ``votes`` (their number) and ``voters``.
    """
    found = {LABELS: test["label"].to_numpy(dtype=float)}
    if (test["voters"] > 1).all():
        found[VOTES] = (test["votes"] / test["voters"]).to_numpy(dtype=float)
    return found


def reliability(
    models: Mapping[str, Predictions], targets: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Return what is observed where a model predicts some probability.

    Args:
        models: Predictions by the model's name.
        targets: Result of ``targets_of``, in the order of the predictions.

    Returns:
        A row for each ``against`` (what of), ``model`` and bin: ``predictions`` in it, their mean
        ``predicted`` probability and the mean ``observed`` target. There are ``BINS`` bins of
        equally many predictions of all seeds, fewer if many predictions are equal.
    """
    rows = []
    for against, target in targets.items():
        for model, found in models.items():
            flat = pd.DataFrame(
                {
                    "predicted": found.probabilities.ravel(),  # (S * N,)
                    "observed": np.tile(target, len(found.seeds)),
                }
            )
            bins = pd.qcut(flat["predicted"], BINS, labels=False, duplicates="drop")
            bins = bins.fillna(0)  # all are equal
            means = flat.groupby(bins, as_index=False).mean()
            sizes = flat.groupby(bins).size().to_numpy()
            rows.append(means.assign(against=against, model=model, predictions=sizes))
    table = pd.concat(rows, ignore_index=True)
    return table[["against", "model", "predictions", "predicted", "observed"]]


def platt_slopes(
    models: Mapping[str, Predictions], targets: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Return how the log-odds of the targets rise with those that a model predicts.

    It is the logistic regression of the targets on the logits of all seeds (Platt, 1999): its
    slope is 1 and its intercept 0 if the probabilities are right. A slope below 1 means that they
    are too sure of themselves. Standard errors are clustered by entity (Liang and Zeger, 1986).

    Args:
        models: Predictions by the model's name.
        targets: Result of ``targets_of``.

    Returns:
        A row for each ``against`` and ``model``: ``slope``, ``low`` and ``high``, its 95 %
        interval, and ``intercept``. All are NaN where logits part the classes or are all equal,
        the interval also where there is a single entity.
    """
    rows = []
    for against, target in targets.items():
        for model, found in models.items():
            rows.append({"against": against, "model": model, **_slope(found, target)})
    return pd.DataFrame(rows)


def _slope(found: Predictions, target: np.ndarray) -> dict[str, float]:
    """Return the columns of one row of ``platt_slopes``."""
    seeds = len(found.seeds)
    logits = logit(found.probabilities.astype(float).clip(_NEAREST, 1 - _NEAREST)).ravel()
    wanted, entities = np.tile(target, seeds), np.tile(found.entities, seeds)
    row: dict[str, float] = dict.fromkeys(("slope", "low", "high", "intercept"), np.nan)
    positive, negative = logits[wanted > 0], logits[wanted < 1]
    if not len(positive) or not len(negative) or not np.ptp(logits):
        return row
    if positive.min() >= negative.max() or positive.max() <= negative.min():
        return row  # no finite slope fits best
    model = GLM(wanted, np.column_stack([np.ones_like(logits), logits]), family=Binomial())
    if entities.max() == 0:
        fitted = model.fit()
        return row | {"slope": fitted.params[1], "intercept": fitted.params[0]}
    fitted = model.fit(cov_type="cluster", cov_kwds={"groups": entities})
    low, high = fitted.conf_int()[1]
    slope, intercept = fitted.params[1], fitted.params[0]
    return {"slope": slope, "low": low, "high": high, "intercept": intercept}


def precision_recall(
    models: Mapping[str, Predictions], targets: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Return the precision at each recall of ``RECALLS``, mean over seeds.

    Against shares of votes a pair counts as a paraphrase by its share, and as none by the rest:
    that is what is expected against one annotator drawn for each pair.

    Args:
        models: Predictions by the model's name.
        targets: Result of ``targets_of``.

    Returns:
        A row for each ``against``, ``model`` and ``recall``: ``precision``, that of the highest
        threshold which has at least that recall, and ``share``, the precision if every pair is
        called a paraphrase.
    """
    rows = []
    for against, target in targets.items():
        for model, found in models.items():
            curves = [_precisions(target, row) for row in found.probabilities]
            part = pd.DataFrame({"recall": RECALLS, "precision": np.mean(curves, axis=0)})
            rows.append(part.assign(against=against, model=model, share=target.mean()))
    columns = ["against", "model", "recall", "precision", "share"]
    return pd.concat(rows, ignore_index=True)[columns]


def _precisions(target: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return one seed's precision at each recall of ``RECALLS``, float (R,)."""
    labels = np.repeat([1, 0], len(target))
    precision, recall, _ = precision_recall_curve(
        labels, np.tile(probabilities, 2), sample_weight=np.concatenate([target, 1 - target])
    )
    # Recall falls along the curve, whose last point belongs to no threshold.
    return precision[np.searchsorted(-recall[:-1], -RECALLS + 1e-9, side="right") - 1]
