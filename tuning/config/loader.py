"""The loader of experiments: a YAML file and ``--set`` overrides, with all problems at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.strict_yaml import describe
from tuning.config.experiment import (
    Cleaning,
    ConfigError,
    Experiment,
    TrialConfig,
    Validation,
)
from tuning.config.search_space import (
    Axis,
    SearchSettings,
    comparison_problems,
    condition_problems,
    first_problems,
)
from tuning.config.settings_file import find_section, parse_override, read_model

NOT_SEARCHED = {  # and what takes its place
    "seed": "search.seeds sets the number of seeds",
    "order_seed": "search.seeds sets the number of seeds",
    "threshold_rule": "no training depends on it; trial.threshold_rule sets it",
}
_AXES = ("grid", "space")  # sections whose values go before those of trial


def load_experiment(path: Path, overrides: list[str] | None = None) -> Experiment:
    """Return the experiment in ``path``, changed by ``key=value`` overrides.

    Raises:
        ConfigError: If anything is wrong; the message has all problems of file and overrides.
        OSError: If the file cannot be read.
    """

    def prepare(content: dict[str, Any]) -> list[str]:
        problems = []
        for override in overrides or []:
            problems += apply_override(content, override)
        problems += _grid_problems(content.get("grid", {}))
        return problems + _space_problems(content.get("space", {}))

    parts = (TrialConfig, Cleaning, SearchSettings, Axis, Validation)
    experiment = read_model(path, Experiment, parts, prepare, overrides or ())
    problems = condition_problems(experiment.space, experiment.trial.model_dump())
    if experiment.search is not None:
        problems += first_problems(experiment.space, experiment.search.try_first)
        problems += comparison_problems(experiment.space, experiment.search)
    elif experiment.validation.folds is not None:
        problems.append(
            f"validation.folds: must be null in a grid, got {experiment.validation.folds}: its "
            "trials are validated on the validation split; only a search trains on folds"
        )
    if problems:
        raise ConfigError(str(path), problems)
    return experiment


def apply_override(content: dict[str, Any], override: str) -> list[str]:
    """Set ``key=value`` in ``content``, which is changed in place; return the problems.

    A field of a trial may be written without ``trial.``: a list makes it an axis of the grid, a
    single value removes it from the grid.

    Args:
        content: Content of the YAML file.
        override: Text after ``--set``.
    """
    key_path, value, problems = parse_override(override)
    if not key_path:
        return problems
    key = key_path[0]
    if len(key_path) == 1 and key in TrialConfig.model_fields:
        key_path = ["grid" if isinstance(value, list) else "trial", key]
        for name in ("trial", "grid"):
            if find_section(content, [name]) is None:
                return [*problems, f"--set {override}: {name} holds a value and has no {key}"]
        if not isinstance(value, list):
            content["grid"].pop(key, None)
    problems += _without_effect(content, override, key_path)
    *sections, field = key_path
    target = find_section(content, sections)
    if target is None:
        section = ".".join(sections)
        return [*problems, f"--set {override}: {section} holds a value and has no {field}"]
    target[field] = value
    return problems


def _without_effect(content: dict[str, Any], override: str, key_path: list[str]) -> list[str]:
    """Return a sentence if other values of the file would go before that of the override."""
    section, field = key_path[0], key_path[-1]
    grid, space = (part if isinstance(part, dict) else {} for part in map(content.get, _AXES))
    _, _, value = override.partition("=")
    if section == "trial" and field in grid:
        return [f"--set {override}: grid.{field} goes before it; write --set {field}={value}"]
    axis = space.get(field)
    if section not in ("trial", "grid") or axis is None:
        return []
    if section == "trial" and isinstance(axis, dict) and "when" in axis:
        return []  # it is the value where the axis is not drawn
    listed = value if section == "grid" else f"[{value}]"
    return [f"--set {override}: space.{field} goes before it; write --set space.{field}={listed}"]


def _grid_problems(grid: object) -> list[str]:
    """Return the problems of a grid's axes, each value checked as the field that it sets."""
    if not isinstance(grid, dict):
        return []  # the model reports it
    problems = []
    for key, values in grid.items():
        if isinstance(key, str) and isinstance(values, list):  # else the model reports it
            problems += _values_problems(key, values)
    return problems


def _values_problems(key: str, values: list[Any]) -> list[str]:
    problems = []
    if not values:
        problems.append(f"grid.{key}: must have at least one value")
    if len({repr(value) for value in values}) < len(values):
        problems.append(f"grid.{key}: must not repeat a value, got {values}")
    for position, value in enumerate(values):
        problems += _point_problems(key, value, f"grid.{key}[{position}]")
        if key not in TrialConfig.model_fields:
            break
    return problems


def _space_problems(space: object) -> list[str]:
    """Return the problems of the values that a search can draw."""
    if not isinstance(space, dict):
        return []
    problems = []
    for key, content in space.items():
        if not isinstance(key, str):
            problems.append(f"space.{key}: unknown key")
        elif key not in TrialConfig.model_fields:
            problems += _point_problems(key, None, f"space.{key}")
        elif key in NOT_SEARCHED:
            problems.append(f"space.{key}: cannot be searched; {NOT_SEARCHED[key]}")
        else:
            problems += _axis_problems(key, content)
    return problems


def _axis_problems(key: str, content: object) -> list[str]:
    try:
        axis = Axis.model_validate(content)
    except ValidationError:
        return []  # the model reports it
    if axis.choices is not None:
        return [
            problem
            for position, value in enumerate(axis.choices)
            for problem in _point_problems(key, value, f"space.{key}[{position}]")
        ]
    default = TrialConfig.model_fields[key].default
    if isinstance(default, bool | str):
        return [f"space.{key}: must be a list of choices"]
    is_whole = isinstance(axis.low, int) and isinstance(axis.high, int)
    if is_whole and isinstance(default, float):
        return [
            f"space.{key}: low and high must have a decimal point, as {axis.low}.0 and "
            f"{axis.high}.0"
        ]
    ends = [
        problem
        for name, value in (("low", axis.low), ("high", axis.high))
        for problem in _point_problems(key, value, f"space.{key}[{name}]")
    ]
    if ends or not is_whole:
        return ends
    for value in _inner(axis):
        problems = _point_problems(key, value, f"space.{key}")
        if problems:
            return problems  # those of the other values would be the same
    return []


def _inner(axis: Axis) -> range:
    """Return the whole numbers of a range, but no more than the first thousand."""
    low, high = int(axis.low or 0), int(axis.high or 0)
    return range(low, min(high, low + 1000) + 1)


def _point_problems(key: str, value: object, key_path: str) -> list[str]:
    try:
        TrialConfig.model_validate({key: value})
    except ValidationError as error:
        problems = describe(error, {key: value}, list(TrialConfig.model_fields))
        return [problem.replace(key, key_path, 1) for problem in problems]
    return []
