"""Comparison of models: scores with intervals over seeds and entities, and their differences."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from measures.intervals import (
    METRICS,
    Predictions,
    Side,
    draw_entities,
    effective_entities,
    holm,
    interval,
    plausible_values,
    point_scores,
    scores_by_seed,
    two_sided_p,
)

RESAMPLES = 2000
LEVEL = 0.05  # of significance, of a corrected p


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
    ``high`` bound the 95 % interval over seeds and whole entities together: over entities alone
    for one seed, which is all there is of a fixed model, and too little of any other. They are NaN
    if there are fewer than two entities.
    """
    rows = []
    for model, predictions in models.items():
        sides = score_sides(predictions)
        for metric in METRICS:
            values = sides[metric].points
            low, high = interval(plausible([sides[metric]], predictions))
            rows.append(
                {
                    "model": model,
                    "metric": metric,
                    "mean": values.mean(),
                    "std": values.std(ddof=1) if len(values) > 1 else np.nan,
                    "seeds": len(values),
                    "low": max(low, 0.0),  # a NaN comes first, and stays
                    "high": min(high, 1.0),
                }
            )
    return pd.DataFrame(rows)


def score_sides(predictions: Predictions, metrics: Collection[str] = METRICS) -> dict[str, Side]:
    """Return what each metric is, and over resampled entities: the same for equal entities."""
    drawn = draw_entities(int(predictions.entities.max()) + 1, RESAMPLES, seed=0)
    points = point_scores(predictions, metrics)
    resampled = scores_by_seed(predictions, drawn, metrics)
    return {name: Side(points=points[name], resampled=resampled[name]) for name in metrics}


def plausible(sides: Sequence[Side], predictions: Predictions) -> np.ndarray:
    """Return plausible values of a score, or of a difference; NaN if there is only one entity."""
    effective = effective_entities(predictions.entities)
    values = plausible_values(sides, effective, seed=1)
    return values if effective > 1 else np.full_like(values, np.nan)


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

    Each metric has its difference, the 95 % interval over new seeds and new entities, and the p of
    the same bootstrap (``f1``, ``f1_low``, ``f1_high``, ``f1_p`` ...). ``f1_p_holm`` is that of F1
    corrected over these comparisons by Holm's method; F1 is the family of hypotheses that counts,
    accuracy and the others are families of their own. ``seeds`` is the least number of seeds of
    a model that has seeds. Where it is 1 the interval is of entities alone, and p is NaN.
    """
    sides = {name: score_sides(models[name]) for name in dict.fromkeys(sum(declared, ()))}
    rows = []
    for model, other in declared:
        row: dict[str, object] = {"model": model, "other": other}
        compared = [models[model], models[other]]
        row["seeds"] = min((len(p.seeds) for p in compared if not p.fixed), default=0)
        for metric in METRICS:
            row |= _difference(metric, compared, [sides[model][metric], sides[other][metric]])
        rows.append(row)
    table = pd.DataFrame(rows)
    for metric in METRICS if rows else ():
        table[f"{metric}_p_holm"] = holm(table[f"{metric}_p"].tolist())
    return table


def _difference(
    metric: str, compared: Sequence[Predictions], sides: Sequence[Side]
) -> dict[str, float]:
    """Return the columns of a metric in ``differences``, without the corrected p."""
    values = plausible(sides, compared[0])
    low, high = interval(values)
    untold = np.isnan(low) or any(predictions.by_one_seed for predictions in compared)
    return {
        metric: float(sides[0].points.mean() - sides[1].points.mean()),
        f"{metric}_low": low,
        f"{metric}_high": high,
        f"{metric}_p": np.nan if untold else two_sided_p(values),
    }


def gain_of_trainings(one: Predictions, other: Predictions, metric: str) -> dict[str, float]:
    """Return how much a training gains on another on new seeds and new entities.

    ``gain`` is the difference of the means over seeds, ``low`` and ``high`` bound its 95 %
    interval, ``p`` is two-sided, all from one bootstrap (``plausible_values``). All but the gain
    are NaN if there is one seed on either side, or one entity.

    Args:
        one: Predictions of one training with several seeds.
        other: Predictions of the other for the same pairs, each with seeds of its own.
        metric: One of ``METRICS``.
    """
    sides = [score_sides(predictions, [metric])[metric] for predictions in (one, other)]
    found = _difference(metric, [one, other], sides)
    told = not np.isnan(found[f"{metric}_p"])
    return {"gain": found[metric]} | {
        name: found[f"{metric}_{name}"] if told else np.nan for name in ("low", "high", "p")
    }
