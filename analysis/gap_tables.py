"""Table of how far validation scores lie above test scores, beyond what a baseline shows.

Shapes: S seeds, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

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

GAP_METRICS = ("auc", "f1")


def gaps(
    validation: Mapping[str, Predictions], test: Mapping[str, Predictions], baseline: str
) -> pd.DataFrame:
    """Return for each model its validation score minus its test score, and the baseline's.

    Nothing but a threshold was ever chosen for the baseline, so that its gap tells how much harder
    the test split is. What a model shows beyond it may come from choosing.

    Args:
        validation: Predictions for the validation pairs by the model's name.
        test: Predictions of the same trainings for the test pairs.
        baseline: Model whose gap is taken from that of the others.

    Returns:
        A row for each other model and each of ``GAP_METRICS``: ``model``, ``metric``, ``seeds``,
        ``gap``, ``baseline_gap``, ``excess``, the first less the second, and its 95 % interval
        ``low`` to ``high``, over seeds and over the entities of both splits, which are drawn
        separately. It is NaN if either split has a single entity.
    """
    effective = min(effective_entities(part[baseline].entities) for part in (validation, test))
    sides = {name: _gap_sides(validation[name], test[name]) for name in test}
    rows = []
    for model in (name for name in test if name != baseline):
        for metric in GAP_METRICS:
            own, other = sides[model][metric], sides[baseline][metric]
            values = plausible_values([own, other], effective, seed=2)
            low, high = interval(values) if effective > 1 else (np.nan, np.nan)
            gap, known = float(own.points.mean()), float(other.points.mean())
            row = {"model": model, "metric": metric, "seeds": len(test[model].seeds)}
            row |= {"gap": gap, "baseline_gap": known, "excess": gap - known}
            rows.append({**row, "low": low, "high": high})
    return pd.DataFrame(rows)


def _gap_sides(validation: Predictions, test: Predictions) -> dict[str, Side]:
    """Return the gap of each seed, (S,), and over resampled entities of both splits, (S, R)."""
    points = [point_scores(part, GAP_METRICS) for part in (validation, test)]
    drawn = [
        scores_by_seed(
            part, draw_entities(int(part.entities.max()) + 1, RESAMPLES, seed), GAP_METRICS
        )
        for seed, part in enumerate((validation, test))
    ]
    return {
        name: Side(
            points=points[0][name] - points[1][name],
            resampled=drawn[0][name] - drawn[1][name],
        )
        for name in GAP_METRICS
    }
