"""Scores of predicted probabilities: accuracy, F1, MCC, AUC, loss and the best threshold.

Shapes: N pairs. MCC lies in [-1, 1], the loss is not negative, all others lie in [0, 1].
"""

from __future__ import annotations

import numpy as np


def score(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, float]:
    """Return accuracy, precision, recall, F1, MCC and the share of pairs predicted positive.

    A pair is predicted positive if its probability is at least ``threshold``. If no pair is,
    precision, recall and F1 are 0; MCC is 0 if only one class is predicted.

    Args:
        labels: Classes, 0 or 1, int (N,).
        probabilities: Probabilities of class 1, float (N,).
        threshold: Number in [0, 1].
    """
    from sklearn.metrics import (
        accuracy_score,
        matthews_corrcoef,
        precision_recall_fscore_support,
    )

    predicted = probabilities >= threshold
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels,
        predicted,
        average="binary",
        zero_division=0,  # pyright: ignore[reportArgumentType] - takes 0 and 1 too
    )
    one_class = predicted.all() or not predicted.any()
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "mcc": 0.0 if one_class else float(matthews_corrcoef(labels, predicted)),
        "positive_rate": float(predicted.mean()),
    }


def all_positive_f1(labels: np.ndarray) -> float:
    """Return the F1 of calling every pair positive: 2p / (1 + p) for a share p of positives."""
    share = float(labels.mean())
    return 2 * share / (1 + share)


def area_under_curve(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the area under the ROC curve; both classes must be among the labels."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, probabilities))


def best_f1_threshold(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Return the threshold with the highest F1, and that F1.

    The threshold lies halfway between two neighbouring probabilities, so that rounding cannot
    move a pair across it. Of equally good thresholds the one nearest to 0.5 is returned.
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, cuts = precision_recall_curve(labels, probabilities)
    total = precision[:-1] + recall[:-1]
    f1 = np.where(total > 0, 2 * precision[:-1] * recall[:-1] / np.where(total > 0, total, 1), 0.0)
    below = np.concatenate([[0.0], cuts[:-1]])
    middle = (cuts + below) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    chosen = best[np.argmin(np.abs(middle[best] - 0.5))]
    return float(middle[chosen]), float(f1[chosen])


def log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Return the mean cross-entropy in nats of logits, float (N, 2), against 0/1 labels (N,)."""
    logits = logits.astype(np.float64)
    highest = logits.max(axis=1)
    total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return float((total - logits[np.arange(len(labels)), labels]).mean())
