"""What a study learns from finished trials, and what it tries first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
from collections.abc import Collection, Sequence

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

from measures.objective import search_value
from tuning.config.experiment import TrialConfig, config_from_params
from tuning.config.search_space import Axis, SearchSettings, Space, describe, is_active
from tuning.data.prepared import Prepared
from tuning.search.context import comparable, fixed_fields
from tuning.search.study import StudyError, enqueue_first
from tuning.system.console import notify
from tuning.tracking.mlflow_reader import read_trials
from tuning.training.metrics import all_positive_f1


def distribution(axis: Axis) -> BaseDistribution:
    """Return an axis as Optuna knows it."""
    if axis.choices is not None:
        return CategoricalDistribution(axis.choices)
    if isinstance(axis.low, int) and isinstance(axis.high, int):
        return IntDistribution(axis.low, axis.high, log=axis.log)
    return FloatDistribution(float(axis.low or 0), float(axis.high or 0), log=axis.log)


def locate(
    space: Space, values: Mapping[str, Any], fixed: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return where a configuration lies in the space, and why it does not lie there.

    Args:
        space: The axes.
        values: All fields of a configuration.
        fixed: What the search keeps fixed; only these fields are compared.

    Returns:
        The values on the active axes, and a reason for each field that does not fit.
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


def seed_study(
    study: optuna.Study, prepared: Prepared, search: SearchSettings, uri: str, console: Console
) -> None:
    """Tell the study what is known of finished trials, and what it is to try first.

    Raises:
        StudyError: If what it should learn from lies in another space.
    """
    own = {trial.user_attrs.get("launch") for trial in study.get_trials()}
    known = find_finished(prepared, search, uri, console, own)
    fixed = comparable(fixed_fields(prepared))
    learned = warm_start(study, prepared.experiment.space, fixed, known)
    if known:
        console.print(f"Warm start: {learned} of {len(known)} trials of '{search.warm_start}'")
    enqueue_first(study, search.try_first)


def find_finished(
    prepared: Prepared,
    search: SearchSettings,
    uri: str,
    console: Console,
    own: Collection[str | None] = (),
) -> list[tuple[str, dict[str, Any], float]]:
    """Return id, configuration and value of the finished trials that a search may learn from.

    Only those of the same data and encoder count; that there are none is said, not an error.
    Those of the launches in ``own`` are in the study already.
    """
    if search.warm_start is None:
        return []
    same = {
        "data_fingerprint": prepared.pairs.fingerprint,
        "encoder_fingerprint": prepared.encoder.fingerprint,
    }
    logged = [r for r in read_trials(uri, search.warm_start, same) if r.launch not in own]
    if not logged:
        notify(
            console,
            f"the log has no finished trial of '{search.warm_start}' on this data and encoder: "
            "the search starts without a warm start",
        )
    floor = all_positive_f1(prepared.pairs.splits["validation"].labels)
    return [
        (run.run_id, values, search_value(run.metrics, floor))
        for run in logged
        if (values := _as_asked(run.params, prepared)) is not None
    ]


def _as_asked(params: Mapping[str, str], prepared: Prepared) -> dict[str, Any] | None:
    """Return a logged configuration as a search would draw it: before it was fitted to the data.

    More or fewer epochs than the space has count as its nearest end: they are a budget, and what
    is learned from is the best epoch. None if this version cannot read the configuration.
    """
    try:
        config = config_from_params(params)
    except ValidationError:
        return None
    values = config.model_dump()
    space, fixed = prepared.experiment.space, prepared.experiment.trial.model_dump()
    size, votes = len(prepared.pairs.splits["train"].labels), prepared.pairs.has_votes
    for field in ("targets", "epochs"):
        axis = space.get(field)
        drawn = [fixed[field]] if axis is None else axis.ends
        for end in drawn:
            asked = {**values, field: end, "min_steps": fixed["min_steps"]}
            fitted = TrialConfig(**asked).fit_to_data(pairs=size, votes=votes)
            if getattr(fitted, field) == values[field]:
                values[field] = end
                break
    epochs = space.get("epochs")
    if epochs is not None and epochs.choices is None:
        values["epochs"] = min(max(values["epochs"], epochs.ends[0]), epochs.ends[1])
    return values


def warm_start(
    study: optuna.Study,
    space: Space,
    fixed: Mapping[str, Any],
    finished: Sequence[tuple[str, Mapping[str, Any], float]],
) -> int:
    """Tell the study what is known of finished trials; return how many lie in its space.

    Args:
        study: Learns from them; those it knows already are passed over.
        space: Of the search.
        fixed: What the search keeps fixed, for the fields that matter.
        finished: Run id, configuration and value of each trial.

    Raises:
        StudyError: If there are some and none lies in the space.
    """
    known = {trial.user_attrs.get("run_id") for trial in study.get_trials()}
    found, reasons = 0, []
    for run_id, values, value in finished:
        coordinates, outside = locate(space, values, fixed)
        if outside:
            reasons.append("; ".join(outside))
            continue
        found += 1
        if run_id not in known:
            study.add_trial(_observation(space, coordinates, value, run_id))
    if finished and not found:
        raise StudyError(
            f"warm_start: none of its {len(finished)} trials lies in this space; the first does "
            f"not since {reasons[0]}; name another experiment with --set search.warm_start=NAME, "
            "or start without one: --set search.warm_start=null"
        )
    return found


def _observation(
    space: Space, coordinates: dict[str, Any], value: float, run_id: str
) -> FrozenTrial:
    distributions: dict[str, BaseDistribution] = {
        name: distribution(space[name]) for name in coordinates
    }
    return create_trial(
        params=coordinates, distributions=distributions, value=value, user_attrs={"run_id": run_id}
    )
