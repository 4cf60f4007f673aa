"""Table of how much each searched parameter matters, with intervals over resampled trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.search_tables import is_wide, searched_parameters
from measures.intervals import interval
from measures.objective import SEED_MEAN

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.importance import BaseImportanceEvaluator
    from optuna.trial import FrozenTrial

IMPORTANCE = "the decrease of impurity in a random forest (Louppe et al., 2013)"
RESAMPLES = 100
_COLUMNS = ["parameter", "importance", "low", "high"]
_TREES = 16  # of a resample's forest; together the resamples have many


def parameter_importance(trials: pd.DataFrame, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Return each ``parameter`` and its ``importance``, largest first; they sum to 1.

    ``low`` and ``high`` are the 95 % percentile interval of the same measure over trials drawn
    with replacement. A forest of fewer different trials judges otherwise than one of all, so that
    the interval need not hold the importance.

    No rows if fewer than 4 trials finished, if no parameter differs between trials, or if all
    trials have the same value.

    Args:
        trials: ``Launch.trials``.
        resamples: Number of resamples.
    """
    names = searched_parameters(trials)
    if len(trials) < 4 or not names:
        return pd.DataFrame(columns=_COLUMNS)
    import optuna
    from optuna.importance import MeanDecreaseImpurityImportanceEvaluator as Forest

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logged = _as_optuna(trials, names)
    found = _importance(logged, Forest(seed=0))
    if not found:
        return pd.DataFrame(columns=_COLUMNS)
    generator = np.random.default_rng(0)
    drawn = []
    for number in range(resamples):
        rows = generator.integers(len(logged), size=len(logged))
        forest = Forest(n_trees=_TREES, seed=number)
        drawn.append(_importance([logged[row] for row in rows], forest))
    table = []
    for name, importance in found.items():
        low, high = interval(np.array([values[name] for values in drawn if values]))
        table.append((name, importance, low, high))
    return pd.DataFrame(table, columns=_COLUMNS)


def _importance(trials: list[FrozenTrial], evaluator: BaseImportanceEvaluator) -> dict[str, float]:
    """Return the importance of each parameter, largest first; none if values do not vary."""
    import optuna

    if len({trial.value for trial in trials}) == 1:  # as of collapsed trials
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _as_optuna(trials: pd.DataFrame, names: list[str]) -> list[FrozenTrial]:
    """Return trials as Optuna has them, in the space that they span."""
    from optuna.trial import create_trial

    spaces = {name: _distribution(trials[name]) for name in names}
    return [
        create_trial(
            params={name: _value(row[name], spaces[name]) for name in names},
            distributions=spaces,
            value=float(row[SEED_MEAN]),
        )
        for row in trials.to_dict("records")
    ]


def _distribution(values: pd.Series) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return CategoricalDistribution(sorted(set(values.astype(str))))
    low, high = float(values.min()), float(values.max())
    return FloatDistribution(low, high, log=is_wide(low, high))


def _value(value: object, space: BaseDistribution) -> object:
    from optuna.distributions import FloatDistribution

    return float(str(value)) if isinstance(space, FloatDistribution) else str(value)
