"""Warm starts: what a new study learns from finished trials, and what it tries first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, create_trial
from pydantic import ValidationError
from rich.console import Console

from measures.metrics import make_objective
from measures.objective import SEED_MEAN, Objective, tagged_objective
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import Axis, SearchSettings, Space, describe, is_active
from tuning.config.trial_values import config_from_params
from tuning.data.prepared import Prepared
from tuning.search.context import comparable, fixed_fields
from tuning.search.startup import enqueue_startup
from tuning.search.study import StudyError, enqueue_first
from tuning.system.console import notify
from tuning.tracking.mlflow_reader import LoggedRun, read_trials


def seed_study(
    study: optuna.Study, prepared: Prepared, search: SearchSettings, uri: str, console: Console
) -> None:
    """Add finished trials to a new search's study, and queue what it is to try first.

    Args:
        study: Study of the search.
        prepared: The experiment with its data and encoder.
        search: Settings of the search.
        uri: Tracking URI of the MLflow store with the finished trials.
        console: Terminal that shows how many trials were added.

    Raises:
        StudyError: If there are finished trials and none lies in the search space.
        TrackingError: If the store cannot be read.
    """
    own = {trial.user_attrs.get("launch") for trial in study.get_trials()}
    known = find_finished(prepared, search, uri, console, own)
    fixed = comparable(fixed_fields(prepared))
    learned = warm_start(study, prepared.experiment.space, fixed, known)
    if known:
        console.print(f"Warm start: {learned} of {len(known)} trials of '{search.warm_start}'")
    enqueue_first(study, search.try_first)
    enqueue_startup(study, prepared.experiment.space, fixed_fields(prepared), search)


def find_finished(
    prepared: Prepared,
    search: SearchSettings,
    uri: str,
    console: Console,
    own: Collection[str | None] = (),
) -> list[tuple[str, dict[str, Any], float]]:
    """Return run id, configuration and value of the finished trials that a search may learn from.

    Only trials on the same data, encoder and number of folds count. If there is none, a notice is
    printed.

    Args:
        prepared: The experiment with its data and encoder.
        search: Settings of the search.
        uri: Tracking URI of the MLflow store.
        console: Terminal that shows the notice.
        own: Ids of launches whose trials are in the study already; they are left out.
    """
    if search.warm_start is None:
        return []
    same = {
        "data_fingerprint": prepared.pairs.fingerprint,
        "encoder_fingerprint": prepared.encoder.fingerprint,
    }
    folds = str(prepared.experiment.validation.folds)
    logged = [
        run
        for run in read_trials(uri, search.warm_start, same)
        if run.launch not in own and run.params.get("folds", "None") == folds
    ]
    if not logged:
        notify(
            console,
            f"the log has no finished trial of '{search.warm_start}' on this data and encoder"
            f"{'' if folds == 'None' else f', validated on {folds} folds'}: "
            "the search starts without a warm start",
        )
    labels = prepared.pairs.splits["validation"].labels
    objective = make_objective(search.objective, labels)
    return [
        (run.run_id, values, _value(run, objective))
        for run in logged
        if (values := _as_drawn(run.params, prepared)) is not None
    ]


def _value(run: LoggedRun, objective: Objective) -> float:
    """Return the value of a finished trial by this search's objective, whatever its own was."""
    if tagged_objective(run.tags) == objective.name:
        return objective.value(run.metrics)
    return objective.value({n: value for n, value in run.metrics.items() if n != SEED_MEAN})


def _as_drawn(params: Mapping[str, str], prepared: Prepared) -> dict[str, Any] | None:
    """Return a logged configuration as a search would draw it: before it was fitted to the data.

    More or fewer epochs than the search has become its own, or the nearest end of its range:
    epochs are a budget, and the value of a trial is that of its best epoch. None if this version
    cannot read the configuration.
    """
    try:
        config = config_from_params(params)
    except ValidationError:
        return None
    values = config.model_dump()
    space, fixed = prepared.experiment.space, prepared.experiment.trial.model_dump()
    size, votes = len(prepared.pairs.splits["train"].labels), prepared.pairs.has_votes
    for field in ("targets", "cosine_feature", "epochs"):
        axis = space.get(field)
        for candidate in [fixed[field]] if axis is None else axis.ends:
            drawn = {**values, field: candidate, "min_steps": fixed["min_steps"]}
            fitted = TrialConfig(**drawn).fit_to_data(pairs=size, votes=votes)
            if getattr(fitted, field) == values[field]:
                values[field] = candidate
                break
    epochs = space.get("epochs")
    if epochs is None:
        values["epochs"] = fixed["epochs"]
    elif epochs.choices is None:
        values["epochs"] = min(max(values["epochs"], epochs.ends[0]), epochs.ends[1])
    return values


def warm_start(
    study: optuna.Study,
    space: Space,
    fixed: Mapping[str, Any],
    finished: Sequence[tuple[str, Mapping[str, Any], float]],
) -> int:
    """Add finished trials to the study; return the number of those that lie in its space.

    Args:
        study: Study that learns from them; trials that it has already are not added again.
        space: Axes of the search space.
        fixed: Fields that the search does not draw, from ``comparable``.
        finished: Run id, configuration and value of each trial.

    Raises:
        StudyError: If there are finished trials and none lies in the space.
    """
    known = {trial.user_attrs.get("run_id") for trial in study.get_trials()}
    count, reasons = 0, []
    for run_id, values, value in finished:
        coordinates, outside = locate(space, values, fixed)
        if outside:
            reasons.append("; ".join(outside))
            continue
        count += 1
        if run_id not in known:
            study.add_trial(_observation(space, coordinates, value, run_id))
    if finished and not count:
        raise StudyError(
            f"warm_start: none of its {len(finished)} trials lies in this space; for the first, "
            f"{reasons[0]}; name another experiment with --set search.warm_start=NAME, or start "
            "without one: --set search.warm_start=null"
        )
    return count


def locate(
    space: Space, values: Mapping[str, Any], fixed: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the coordinates of a configuration in the space, and the reasons why it is outside.

    Args:
        space: Axes of the search space.
        values: All fields of a configuration.
        fixed: Fields of the search's trial; only these are compared.

    Returns:
        The values on the active axes, and one reason for each field that does not fit.
    """
    coordinates, reasons = {}, []
    for name, value in fixed.items():
        axis = space.get(name)
        if axis is not None and is_active(axis, values):
            coordinates[name] = values[name]
            if not axis.holds(values[name]):
                reasons.append(f"{name} {values[name]} is outside of {describe(axis)}")
        elif values[name] != value and not (axis is not None and axis.when):
            reasons.append(f"{name} is {values[name]}, here always {value}")
    return coordinates, reasons


def _observation(
    space: Space, coordinates: dict[str, Any], value: float, run_id: str
) -> FrozenTrial:
    distributions: dict[str, BaseDistribution] = {
        name: distribution(space[name]) for name in coordinates
    }
    return create_trial(
        params=coordinates, distributions=distributions, value=value, user_attrs={"run_id": run_id}
    )


def distribution(axis: Axis) -> BaseDistribution:
    """Return the axis as a distribution of Optuna."""
    if axis.choices is not None:
        return CategoricalDistribution(axis.choices)
    if isinstance(axis.low, int) and isinstance(axis.high, int):
        return IntDistribution(axis.low, axis.high, log=axis.log)
    return FloatDistribution(float(axis.low or 0), float(axis.high or 0), log=axis.log)
