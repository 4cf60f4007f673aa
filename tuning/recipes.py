"""From a YAML file and changes on the command line to a recipe, all problems at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuning.config import ConfigError
from tuning.messages import describe
from tuning.pretraining_config import Phase, Recipe, Shape
from tuning.yaml_files import parse_yaml, read_yaml


def load_recipe(path: Path, overrides: list[str]) -> Recipe:
    """Return the recipe in ``path``, changed by ``key=value`` overrides, as ``corpus.steps=10``.

    Raises:
        ConfigError: With every problem of the file and the overrides.
        OSError: If the file cannot be read.
    """
    content, problems = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(str(path), problems or ["must be a mapping of keys to values"])
    for override in overrides:
        problems += _apply(content, override)
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        known = [name for model in (Recipe, Phase, Shape) for name in model.model_fields]
        raise ConfigError(str(path), problems + describe(error, known)) from error
    if problems:
        raise ConfigError(str(path), problems)
    return recipe


def _apply(content: dict[str, Any], override: str) -> list[str]:
    """Put the value into ``content`` in place; return the problems found.

    A budget takes the place of the other one: ``corpus.minutes=5`` ends by the clock.
    """
    key, separator, text = override.partition("=")
    if not separator:
        return [f"--set {override}: must be key=value"]
    value, problems = parse_yaml(text)
    *sections, field = key.split(".")
    place = content
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            return [*problems, f"--set {override}: {section} holds a value and has no {field}"]
    for budget, other in (("steps", "minutes"), ("minutes", "steps")):
        if field == budget:
            place.pop(other, None)
    place[field] = value
    return problems
