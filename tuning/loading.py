"""From a YAML file and the command line's changes to an experiment, all problems at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuning.config import Cleaning, ConfigError, Experiment, TrialConfig
from tuning.messages import describe
from tuning.space import Axis, SearchSettings, condition_problems, first_problems
from tuning.yaml_files import parse_yaml, read_yaml


def load_experiment(path: Path, overrides: list[str] | None = None) -> Experiment:
    """Return the experiment in ``path``, changed by ``key=value`` overrides.

    Raises:
        ConfigError: With every problem of the file and the overrides.
        OSError: If the file cannot be read.
    """
    content, problems = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(str(path), problems or ["must be a mapping of keys to values"])
    for override in overrides or []:
        problems += apply_override(content, override)
    problems += _grid_problems(content.get("grid", {}))
    problems += _space_problems(content.get("space", {}))
    try:
        experiment = Experiment.model_validate(content)
    except ValidationError as error:
        models = (Experiment, TrialConfig, Cleaning, SearchSettings, Axis)
        known = [name for model in models for name in model.model_fields]
        raise ConfigError(str(path), problems + describe(error, known)) from error
    problems += condition_problems(experiment.space, TrialConfig.model_fields)
    if experiment.search is not None:
        problems += first_problems(experiment.space, experiment.search.try_first)
    if problems:
        raise ConfigError(str(path), problems)
    return experiment


def apply_override(content: dict[str, Any], override: str) -> list[str]:
    """Put ``key=value`` into ``content`` in place; return the problems found.

    A key of a trial may be written without ``trial.``: a list makes it an axis of the grid, a
    single value takes it off the grid.
    """
    key, separator, text = override.partition("=")
    if not separator:
        return [f"--set {override}: must be key=value"]
    value, problems = parse_yaml(text)
    section, _, field = key.partition(".")
    if field:
        if not isinstance(content.setdefault(section, {}), dict):
            return [*problems, f"--set {override}: {section} holds a value and has no {field}"]
        content[section][field] = value
    elif key in TrialConfig.model_fields and isinstance(value, list):
        content.setdefault("grid", {})[key] = value
    elif key in TrialConfig.model_fields:
        content.get("grid", {}).pop(key, None)
        content.setdefault("trial", {})[key] = value
    else:
        content[key] = value
    return problems


def _grid_problems(grid: object) -> list[str]:
    """Return what is wrong with the axes, each value checked as the field it would set."""
    if not isinstance(grid, dict):
        return []  # the model itself reports that this is no mapping
    problems = []
    for key, values in grid.items():
        if not isinstance(values, list):
            continue
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
    """Return what is wrong with the values that the axes of a search can take."""
    if not isinstance(space, dict):
        return []
    problems = []
    for key, content in space.items():
        try:
            ends = Axis.model_validate(content).ends
        except ValidationError:
            ends = [] if key in TrialConfig.model_fields else [None]  # the model tells the rest
        for place, value in enumerate(ends):
            where = (
                ("low", "high")[place] if isinstance(content, dict) and "low" in content else place
            )
            problems += _point_problems(key, value, f"space.{key}[{where}]")
            if key not in TrialConfig.model_fields:
                break
    if any(key in space for key in ("seed", "order_seed")):
        problems.append("space: seeds are not searched for; search.seeds says how many")
    return problems


def _point_problems(key: str, value: object, place: str) -> list[str]:
    try:
        TrialConfig.model_validate({key: value})
    except ValidationError as error:
        problems = describe(error, list(TrialConfig.model_fields))
        return [problem.replace(key, place, 1) for problem in problems]
    return []
