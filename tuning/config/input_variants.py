"""The variants of inputs that the trials of a search may need, before any of them is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from tuning.config.experiment import Experiment, TrialConfig
from tuning.config.search_space import is_active

_CONDITIONAL = ("cosine_feature", "layer_mean")  # not every trial can have them


def input_variants(experiment: Experiment, layers: int) -> list[TrialConfig]:
    """Return a trial for each combination of the fields that decide a search's inputs.

    Values that only the ablations need are among them.

    Args:
        experiment: Experiment with a search.
        layers: Number of layers of the encoder; of one layer, no ablation trains a part.
    """
    ablated = {"both_orders": True, "overlap_features": True, "layer_mean": False}
    ablated |= {"freezing": "some"} if layers > 1 else {}
    ablates = experiment.search is not None and experiment.search.ablations
    values: dict[str, list[Any]] = {}
    for name, needed in ablated.items():
        own = _values_of(experiment, name)
        values[name] = [*own, needed] if ablates and needed not in own else own
    values |= {name: _values_of(experiment, name) for name in ("encoding", "cosine_feature")}
    fixed = experiment.trial.model_dump()
    combinations = (
        dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())
    )
    return [
        TrialConfig(**fixed | each) for each in combinations if _can_be_drawn(experiment, each)
    ]


def _can_be_drawn(experiment: Experiment, values: Mapping[str, Any]) -> bool:
    """Return whether the space draws these values together, or an ablation switches one off."""
    known = {**experiment.trial.model_dump(), **values}
    return all(
        axis.holds(values[name])
        if is_active(axis, known)
        else values[name] in (False, getattr(experiment.trial, name))
        for name, axis in experiment.space.items()
        if name in _CONDITIONAL
    )


def _values_of(experiment: Experiment, field: str) -> list[Any]:
    """Return the values of a field: its fixed one, or the ends or choices in the space.

    An axis that is not drawn in every trial leaves it the fixed value too.
    """
    axis, fixed = experiment.space.get(field), getattr(experiment.trial, field)
    if axis is None:
        return [fixed]
    return [*axis.ends, fixed] if axis.when and not axis.holds(fixed) else axis.ends
