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
    "layer_mean": False,
    "truncate": False,
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


def config_from_params(params: Mapping[str, str]) -> TrialConfig:
    """Return the configuration of a run, read from its logged parameters.

    Args:
        params: Texts by name, as MLflow stores them; names that are no field are ignored.

    Raises:
        ValidationError: If this version has no such configuration.
    """
    return TrialConfig.model_validate(
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
