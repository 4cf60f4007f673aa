"""The reader of a settings file: YAML and its ``--set`` overrides, checked by a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from models.strict_yaml import describe, parse_yaml, read_yaml
from tuning.config.experiment import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def read_model(
    path: Path,
    model: type[Model],
    parts: Iterable[type[BaseModel]],
    prepare: Callable[[dict[str, Any]], list[str]],
) -> Model:
    """Return the content of a YAML file as a model.

    Args:
        path: YAML file.
        model: Class of the model.
        parts: Classes of the models within it; their fields are suggested for unknown keys.
        prepare: Function that changes the file's content in place before it is checked, and
            returns the problems that it finds.

    Raises:
        ConfigError: If anything is wrong with the file; the message has all problems.
        OSError: If the file cannot be read.
    """
    content, problems = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(str(path), problems or ["must be a mapping of keys to values"])
    problems += prepare(content)
    try:
        found = model.model_validate(content)
    except ValidationError as error:
        known = [name for part in (model, *parts) for name in part.model_fields]
        raise ConfigError(str(path), problems + describe(error, known)) from error
    if problems:
        raise ConfigError(str(path), problems)
    return found


def parse_override(override: str) -> tuple[list[str], Any, list[str]]:
    """Return the keys, the value and the problems of ``--set key.path=value``.

    There are no keys if the override cannot be read as one.
    """
    key, separator, text = override.partition("=")
    if not separator:
        return [], None, [f"--set {override}: must be key=value"]
    if not all(key.split(".")):
        return [], None, [f"--set {override}: must not have an empty key"]
    value, problems = parse_yaml(text)
    return key.split("."), value, problems


def find_section(content: dict[str, Any], sections: list[str]) -> dict[str, Any] | None:
    """Return the mapping at these nested keys, and add it to ``content`` if it is absent.

    None is returned if one of the keys holds a value that is no mapping.
    """
    for section in sections:
        inner = content.setdefault(section, {})
        if not isinstance(inner, dict):
            return None
        content = inner
    return content
