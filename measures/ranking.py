"""The standard error of an area under the ROC curve where pairs of an entity belong together.

Shapes: N pairs, P of them positive, E entities.
"""

from __future__ import annotations

import numpy as np


def auc_standard_error(
    labels: np.ndarray, scores: np.ndarray, entities: np.ndarray, area: float
) -> float:
    """Return the standard error of an AUC over whole entities (Obuchowski, 1997).

    Each positive pair has a component: the share of negative pairs that it outranks, ties counting
    a half; each negative pair has the share of positives that outrank it. Components are added up
    by entity, since pairs of an entity resemble each other. With fewer than two entities each
    pair is one of its own.

    Args:
        labels: Classes, 0 or 1, int (N,); both must be there.
        scores: Scores that rank the pairs, float (N,).
        entities: Codes of the pairs' entities, int (N,), from 0.
        area: AUC of these scores.
    """
    if len(np.unique(entities)) < 2:
        entities = np.arange(len(labels))
    positive = labels == 1
    above = share_below(scores[positive], scores[~positive])  # (P,)
    below = 1 - share_below(scores[~positive], scores[positive])  # (N - P,)
    left = _by_entity(above - area, entities[positive], entities.max() + 1) / len(above)  # (E,)
    right = _by_entity(below - area, entities[~positive], entities.max() + 1) / len(below)
    variance = (
        _correction(entities[positive]) * (left**2).sum()
        + _correction(entities[~positive]) * (right**2).sum()
        + 2 * _correction(entities) * (left * right).sum()
    )
    return float(np.sqrt(max(variance, 0.0)))


def share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each value the share of the others that are lower, an equal one counting half."""
    ordered = np.sort(others)
    lower, not_higher = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (lower + not_higher) / (2 * len(others))


def _by_entity(values: np.ndarray, entities: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(entities, weights=values, minlength=count)


def _correction(entities: np.ndarray) -> float:
    """Return E / (E - 1) of the entities that occur; 1 where there is only one."""
    count = len(np.unique(entities))
    return count / max(count - 1, 1)
