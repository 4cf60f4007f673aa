"""YAML that hides nothing: repeated keys are problems, and a syntax error is one sentence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tuning.config.experiment import ConfigError

Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """The safe loader, remembering the keys that stand twice in one mapping."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; note each key that was given before in it."""
        seen = set()
        for key_node, _ in node.value:
            if str(key_node.value) in seen:
                line = key_node.start_mark.line + 1
                self.repeated.append(f"{key_node.value}: given twice, again in line {line}")
            seen.add(str(key_node.value))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> tuple[Any, list[str]]:
    """Return the content of ``path`` and its problems (bytes, syntax, repeated keys).

    Raises:
        OSError: If the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return None, [f"must be UTF-8, got the byte {error.object[error.start]:#04x}"]
    return parse_yaml(text)


def parse_yaml(text: str) -> tuple[Any, list[str]]:
    """Return the content of ``text`` and its problems."""
    try:
        loader = _Loader(text)
        return loader.get_single_data(), loader.repeated
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        key_path = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        return None, [f"is not YAML: {problem}{key_path}"]


_RULES = {
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "missing": "is missing",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "multiple_of": "must be a multiple of {multiple_of:g}",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}",
    "value_error": "{error}",
}
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def read_model(
    path: Path,
    model: type[Model],
    parts: Iterable[type[BaseModel]],
    prepare: Callable[[dict[str, Any]], list[str]],
) -> Model:
    """Return what a YAML file says, as a model.

    Args:
        path: The file.
        model: What it has to be.
        parts: The models within; their fields are suggested for unknown keys.
        prepare: Changes the file's content in place before it is checked, and returns the
            problems that it finds.

    Raises:
        ConfigError: With every problem of file and content.
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
    """Return the key path, the value and the problems of a ``--set key.path=value``.

    The key path is empty where there is none.
    """
    key, separator, text = override.partition("=")
    if not separator:
        return [], None, [f"--set {override}: must be key=value"]
    value, problems = parse_yaml(text)
    return key.split("."), value, problems


def find_section(content: dict[str, Any], sections: list[str]) -> dict[str, Any] | None:
    """Return the mapping at these keys, made where it is absent; None if a value is in its way."""
    for section in sections:
        inner = content.setdefault(section, {})
        if not isinstance(inner, dict):
            return None
        content = inner
    return content


def describe(error: ValidationError, known: list[str]) -> list[str]:
    """Return one sentence a problem: place, rule, value, and the nearest of the ``known`` keys.

    A value that fails every choice of a union is told once, with all the rules joined by "or".
    """
    sentences: dict[str, tuple[list[str], str]] = {}
    for problem in error.errors():
        key_path = _key_path(problem["loc"])
        rule, value = _rule(problem, known), _value(problem)
        rules, _ = sentences.setdefault(key_path, ([], value))
        if rule not in rules:
            rules.append(rule)
    return [
        f"{key_path}: {' or '.join(rules)}{value}"
        for key_path, (rules, value) in sentences.items()
    ]


def _key_path(location: tuple[int | str, ...]) -> str:
    """Return ``grid.epochs[0]`` for the keys on the way there, without pydantic's union tags."""
    keys = [part for part in location if isinstance(part, int) or part.replace("_", "").isalnum()]
    keys = [part for part in keys if part not in ("float", "int", "str")]
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in keys)
    return text.lstrip(".") or "the file"


def _rule(problem: ErrorDetails, known: list[str]) -> str:
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        near = difflib.get_close_matches(key, known, n=1) or [
            name for name in known if name.replace("_", "") == key.lower()
        ]
        return f"unknown key; did you mean {near[0]}?" if near else "unknown key"
    template = _RULES.get(problem["type"]) or problem["msg"]
    return template.format_map(problem.get("ctx", {})) if "{" in template else template


def _value(problem: ErrorDetails) -> str:
    if problem["type"] in ("extra_forbidden", "missing", "value_error"):
        return ""
    value = problem["input"]
    if problem["type"] == "string_type" and isinstance(value, bool):
        return f", got {value!r} (YAML reads yes, no, on, off as true and false: put it in quotes)"
    if not isinstance(value, str):
        return f", got {value!r}"
    return f", got the text {value!r}{_yaml_number(value)}"


def _yaml_number(text: str) -> str:
    """Return how to write a number that YAML takes for text, as ``(write 2.0e-5)``."""
    if not _NUMBER.fullmatch(text):
        return ""
    digits, _, exponent = f"{float(text):e}".partition("e")
    digits = digits.rstrip("0")
    return f" (write {digits}{'0' if digits.endswith('.') else ''}e{int(exponent):+d})"
