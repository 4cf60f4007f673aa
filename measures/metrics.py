"""Scores of predicted probabilities: accuracy, F1, MCC, AUC, loss, and the choice of a threshold.

They are computed here, and tested against scikit-learn, because every worker would have to import
that.

Shapes: N pairs. MCC lies in [-1, 1], the loss is not negative, all others lie in [0, 1].
"""

from __future__ import annotations

import numpy as np

from measures.objective import Objective, ObjectiveName, ThresholdRule
from measures.ranking import share_below

_SMOOTHED_SHARE = 0.04  # of all candidate thresholds
_TOLERATED_F1 = 0.003  # how far a steady threshold may be below the highest smoothed F1


def score(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, float]:
    """Return accuracy, precision, recall, F1, MCC and the share of pairs predicted positive.

    A pair is predicted positive if its probability is at least ``threshold``. If no pair is,
    precision, recall and F1 are 0; MCC is 0 if only one class is predicted.

    Args:
        labels: Classes, 0 or 1, int (N,).
        probabilities: Probabilities of class 1, float (N,).
        threshold: Number in [0, 1].
    """
    predicted = probabilities >= threshold
    true, false = int(labels[predicted].sum()), int((1 - labels[predicted]).sum())
    missed = int(labels.sum()) - true
    left = len(labels) - true - false - missed  # negatives that are predicted as such
    product = (true + false) * (true + missed) * (left + false) * (left + missed)
    return {
        "accuracy": (true + left) / len(labels),
        "precision": true / max(true + false, 1),
        "recall": true / max(true + missed, 1),
        "f1": 2 * true / max(2 * true + false + missed, 1),
        "mcc": (true * left - false * missed) / product**0.5 if product else 0.0,
        "positive_rate": float(predicted.mean()),
    }


def all_positive_f1(labels: np.ndarray) -> float:
    """Return the F1 of calling every pair positive: 2p / (1 + p) for a share p of positives."""
    share = float(labels.mean())
    return 2 * share / (1 + share)


def make_objective(name: ObjectiveName, labels: np.ndarray) -> Objective:
    """Return the objective of a search on these validation labels, 0 or 1, int (N,)."""
    return Objective(name=name, floor=0.5 if name == "auc" else all_positive_f1(labels))


def area_under_curve(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the area under the ROC curve; both classes must be among the labels."""
    positive = labels == 1
    return float(share_below(probabilities[positive], probabilities[~positive]).mean())


def choose_threshold(
    labels: np.ndarray, probabilities: np.ndarray, rule: ThresholdRule
) -> tuple[float, float]:
    """Return the threshold that a rule chooses, and its F1.

    The candidates lie halfway between two neighbouring probabilities, so that rounding cannot move
    a pair across the threshold. Of equally good ones that nearest to 0.5 is chosen.

    Args:
        labels: Classes, 0 or 1, int (N,), N at least 1.
        probabilities: Probabilities of class 1, or other scores in [0, 1], float (N,).
        rule: ``maximum`` takes the highest F1. That of a few hundred pairs is the luck of some of
            them, so ``steady`` takes the highest accuracy of all candidates whose F1 is within
            .003 of the highest, both smoothed: means over the neighbouring 4 % of the candidates,
            but no more than a fifth of the positives, where these are rare.
    """
    cuts, places = np.unique(probabilities, return_inverse=True)
    predicted = np.bincount(places)[::-1].cumsum()[::-1]  # pairs of at least each probability
    true = np.bincount(places[labels == 1], minlength=len(cuts))[::-1].cumsum()[::-1]
    positives = int(labels.sum())
    f1 = 2 * true / np.maximum(predicted + positives, 1)
    if rule == "maximum":
        best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    else:
        half = min(round(_SMOOTHED_SHARE * len(cuts) / 2), positives // 10)
        smooth = _smooth(f1, half)
        accuracy = _smooth(2 * true - predicted, half)  # times N, less the number of negatives
        within = smooth >= smooth.max() - _TOLERATED_F1
        best = np.flatnonzero(within & (accuracy >= accuracy[within].max() - 1e-9))
    middle = (cuts + np.concatenate([[0.0], cuts[:-1]])) / 2
    chosen = best[np.argmin(np.abs(middle[best] - 0.5))]
    return float(middle[chosen]), float(f1[chosen])


def _smooth(values: np.ndarray, half: int) -> np.ndarray:
    """Return the mean of each value and ``half`` on either side; the ends go on beyond them."""
    sums = np.concatenate([[0], np.pad(values, half, mode="edge").cumsum()])
    width = 2 * half + 1
    return (sums[width:] - sums[:-width]) / width


def log_loss(targets: np.ndarray, logits: np.ndarray) -> float:
    """Return the mean cross-entropy in nats of logits against targets.

    Args:
        targets: Labels, or probabilities of class 1, in [0, 1], (N,).
        logits: Finite numbers, float (N, 2).
    """
    logits = logits.astype(np.float64)
    highest = logits.max(axis=1)
    total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    expected = (1 - targets) * logits[:, 0] + targets * logits[:, 1]
    return float((total - expected).mean())
