"""The reader of a settings file: YAML and its ``--set`` overrides, checked by a model."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from models.strict_yaml import describe, parse_yaml, read_yaml
from tuning.config.experiment import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def require_file(path: Path, shipped: Path) -> Path:
    """Return the path of a settings file.

    Args:
        path: Path as the user gave it.
        shipped: Folder with the files of this project, which may have been meant.

    Raises:
        ConfigError: If it is no file; the message has the files whose names are near.
    """
    if path.is_file():
        return path
    if path.is_dir():
        raise ConfigError(str(path), ["is a folder; give a YAML file"])
    files = {
        file.stem: file for folder in (path.parent, shipped) for file in folder.glob("*.yaml")
    }
    near = [os.path.relpath(files[name]) for name in get_close_matches(path.stem, files)]
    hint = f"; did you mean {' or '.join(near)}?" if near else f"; see the folder {shipped.name}"
    raise ConfigError(str(path), [f"no such file{hint}"])


def read_model(
    path: Path,
    model: type[Model],
    parts: Iterable[type[BaseModel]],
    prepare: Callable[[dict[str, Any]], list[str]],
    overrides: Iterable[str] = (),
) -> Model:
    """Return the content of a YAML file as a model.

    Args:
        path: YAML file.
        model: Class of the model.
        parts: Classes of the models within it; their fields are suggested for unknown keys.
        prepare: Function that changes the file's content in place before it is checked, and
            returns the problems that it finds.
        overrides: Changes of the content that ``prepare`` makes, as texts after ``--set``.

    Raises:
        ConfigError: If anything is wrong with the file; the message has all problems.
        OSError: If the file cannot be read.
    """
    source = " ".join([str(path), *(f"--set {shlex.quote(override)}" for override in overrides)])
    content, problems = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(str(path), problems or ["must be a mapping of keys to values"])
    problems += prepare(content)
    try:
        found = model.model_validate(content)
    except ValidationError as error:
        known = [name for part in (model, *parts) for name in part.model_fields]
        raise ConfigError(source, problems + describe(error, content, known)) from error
    if problems:
        raise ConfigError(source, problems)
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
    return key.split("."), value, [f"--set {override}: {problem}" for problem in problems]


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
