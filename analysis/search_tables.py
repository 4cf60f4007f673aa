"""Numbers about an Optuna search, from its trials in the log: history and importance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.captions import points, score, score_cell

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

OBJECTIVE = "objective"
IMPORTANCE = "fANOVA (Hutter et al., 2014)"
_FIXED = {"run_id", "name", "seed", "order_seed", "seeds"}
_METRICS = {
    OBJECTIVE,
    "objective_std",
    "threshold",
    "best_epoch",
    "collapsed",
    "diverged",
    "seconds",
}
PARALLEL = 8  # parameters that a picture has room for


def searched_parameters(trials: pd.DataFrame) -> list[str]:
    """Return the parameters in which the trials differ: what is neither a metric nor a seed."""
    return [
        name
        for name in trials.columns
        if not name.startswith(("val_", "test_"))
        and name not in _FIXED | _METRICS
        and trials[name].astype(str).nunique() > 1
    ]


def search_history(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row a trial in the order of their names: ``number``, ``value``, ``best`` so far."""
    values = trials.sort_values("name")[OBJECTIVE].reset_index(drop=True)
    return pd.DataFrame(
        {"number": range(1, len(values) + 1), "value": values, "best": values.cummax()}
    )


def champion_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each model and threshold, with a text cell for each metric.

    Args:
        scores: As the search logged them: a row a model, threshold and metric.
    """
    rows = []
    for (model, threshold), part in scores.groupby(["model", "threshold"], sort=False):
        row: dict[str, object] = {"model": model, "cut": str(threshold)}
        for cell in part.to_dict("records"):
            row[f"{cell['metric']}_cell"] = score_cell(cell)
        rows.append(row)
    return pd.DataFrame(rows)


def ablation_scores(ablations: pd.DataFrame) -> pd.DataFrame:
    """Return a row a lever: validation F1* with and without it, the gain, and what follows."""
    records = ablations.to_dict("records")
    return pd.DataFrame(
        {
            "lever": [row["lever"] for row in records],
            "with_it": [f"{score(row['with'])} ± {score(row['with_std'])}" for row in records],
            "without_it": [
                f"{score(row['without'])} ± {score(row['without_std'])}" for row in records
            ],
            "gain": [
                f"{points(row['gain'])} [{points(row['low'])}, {points(row['high'])}]"
                for row in records
            ],
            "verdict": [row["verdict"] for row in records],
            "champion": ["on" if row["used"] else "off" for row in records],
        }
    )


def parameter_importance(trials: pd.DataFrame) -> pd.DataFrame:
    """Return ``parameter`` and ``importance`` (they sum to 1) by fANOVA, largest first.

    Without rows if fewer than 4 trials finished or no parameter differs: nothing to learn from.
    """
    names = searched_parameters(trials)
    if len(trials) < 4 or not names:
        return pd.DataFrame(columns=["parameter", "importance"])
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    spaces = {name: _distribution(trials[name]) for name in names}
    for _, row in trials.iterrows():
        study.add_trial(
            optuna.trial.create_trial(
                params={name: _value(row[name], spaces[name]) for name in names},
                distributions=spaces,
                value=float(row[OBJECTIVE]),
            )
        )
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return pd.DataFrame(list(found.items()), columns=["parameter", "importance"])


def _distribution(values: pd.Series) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return CategoricalDistribution(sorted(set(values.astype(str))))
    low, high = float(values.min()), float(values.max())
    return FloatDistribution(low, high, log=low > 0 and high / low >= 30)


def _value(value: object, space: BaseDistribution) -> object:
    from optuna.distributions import FloatDistribution

    return float(str(value)) if isinstance(space, FloatDistribution) else str(value)
