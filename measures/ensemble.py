"""Greedy ensembles of saved predictions, judged on entities that took no part in the selection.

Shapes: M classifiers, N pairs.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold

from measures.comparison import differences
from measures.intervals import Predictions
from measures.metrics import area_under_curve

STEPS = 25
FOLDS = 5


def greedy_weights(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the weight of each classifier in a greedy ensemble, float (M,), with sum 1.

    Selection with replacement (Caruana et al., 2004): each step adds the classifier with which the
    mean has the highest AUC, and the best step counts. A single classifier is the first. Labels of
    one class rank nothing: all classifiers then weigh the same.

    Args:
        labels: Classes, 0 or 1, int (N,).
        probabilities: Probabilities of class 1, float (M, N).
    """
    if labels.min() == labels.max():
        return np.full(len(probabilities), 1 / len(probabilities))
    counts, total = np.zeros(len(probabilities)), np.zeros(len(labels))
    best, kept = -np.inf, counts
    for _ in range(STEPS):
        areas = [area_under_curve(labels, total + each) for each in probabilities]
        chosen = int(np.argmax(areas))
        counts[chosen] += 1
        total += probabilities[chosen]
        if areas[chosen] > best:
            best, kept = areas[chosen], counts.copy()
    return kept / kept.sum()


def held_out_probabilities(
    labels: np.ndarray, entities: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """Return the probabilities of greedy ensembles for pairs they were not selected on, (N,).

    The entities are divided into folds; the ensemble of a fold is selected on the others.

    Args:
        labels: Classes, 0 or 1, int (N,).
        entities: Codes of the pairs' entities, int (N,); at least two different ones.
        probabilities: Probabilities of class 1, float (M, N).
    """
    found = np.empty(len(labels))
    folds = GroupKFold(min(FOLDS, len(np.unique(entities))))
    for others, fold in folds.split(labels, groups=entities):
        weights = greedy_weights(labels[others], probabilities[:, others])
        found[fold] = weights @ probabilities[:, fold]
    return found


def greedy_gain(
    labels: np.ndarray, entities: np.ndarray, probabilities: np.ndarray, reference: np.ndarray
) -> dict[str, float]:
    """Return what a greedy ensemble brings on held-out entities: its AUC and the reference's.

    Also their difference ``gain``, with its 95 % interval over entities, ``low`` to ``high``, and
    its ``p``: of these very classifiers on new entities.

    Args:
        labels: Classes, 0 or 1, int (N,).
        entities: Codes of the pairs' entities, int (N,); at least two different ones.
        probabilities: Probabilities of class 1 of the classifiers to select from, float (M, N).
        reference: Probabilities of class 1 of what the ensemble is compared with, float (N,).
    """
    greedy = held_out_probabilities(labels, entities, probabilities)
    models = {
        name: Predictions(
            labels=labels,
            entities=entities,
            probabilities=found[None, :],
            seeds=np.array([0]),
            thresholds=np.array([0.5]),
            fixed=True,
        )
        for name, found in (("greedy", greedy), ("reference", reference))
    }
    row = differences(models, [("greedy", "reference")]).iloc[0]
    return {
        "auc": area_under_curve(labels, greedy),
        "reference_auc": area_under_curve(labels, reference),
        "gain": float(row["auc"]),
        "low": float(row["auc_low"]),
        "high": float(row["auc_high"]),
        "p": float(row["auc_p"]),
    }
