"""Values of trials as others keep them: read from logged text, compared, hashed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from tuning.config.experiment import TrialConfig

# Fields that were added to experiments, with the values that mean what was done before.
_ADDED = {
    "class_weight": "none",
    "cosine_feature": False,
    "encoding": "pair",
    "finalists": None,
    "folds": None,
    "layer_mean": False,
    "objective": "f1",
    "occlusion": True,  # changes no result: a launch of before may measure it when resumed
    "threshold_rule": "maximum",
    "racing_seeds": 2,  # without finalists it has no effect
    "truncate": False,
    "validation": {"folds": None},
}


def known_before(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of an experiment or trial without added fields that change nothing.

    Launches, states and studies are recognized by such values, and those of earlier versions lack
    the fields that were added since.

    Args:
        values: Values by field; inner mappings are treated alike.
    """
    return {
        name: known_before(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if name not in _ADDED or value != _ADDED[name]
    }


def trial_of(values: Mapping[str, Any]) -> TrialConfig:
    """Return a trial as it was saved, by this version or before: ``known_before`` undone.

    Args:
        values: Values by field; a field that is lacking has the value that means what was done
            before it was added, or else its default.

    Raises:
        ValidationError: If this version has no such configuration.
    """
    added = {name: value for name, value in _ADDED.items() if name in TrialConfig.model_fields}
    return TrialConfig.model_validate({**added, **values})


def was_before(name: str) -> Any:  # noqa: ANN401 - values of any field
    """Return the value of a field that means what was done before the field was added.

    None for a field that was always there.
    """
    return _ADDED.get(name)


def config_from_params(params: Mapping[str, str]) -> TrialConfig:
    """Return the configuration of a run, read from its logged parameters.

    Args:
        params: Texts by name, as MLflow stores them; names that are no field are ignored.

    Raises:
        ValidationError: If this version has no such configuration.
    """
    return trial_of(
        {name: _literal(params[name]) for name in TrialConfig.model_fields if name in params}
    )


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def varied_fields(trials: Iterable[TrialConfig]) -> list[str]:
    """Return the fields in which the trials differ, in the order of ``TrialConfig``."""
    dumps = [trial.model_dump() for trial in trials]
    return [name for name in TrialConfig.model_fields if len({str(d[name]) for d in dumps}) > 1]
