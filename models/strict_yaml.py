"""Strict YAML: its reader, the class of the models that check it, and all problems in words."""

from __future__ import annotations

import difflib
import re
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

# What is wrong with a value, by the type of pydantic's error; in braces its context.
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
# Decimal, hexadecimal and binary numbers; YAML also reads 010 as 8 and 1:30 as 90.
_PLAIN = re.compile(r"[+-]?(0|[1-9][\d_]*|0x[\da-fA-F_]+|0b[01_]+)")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")  # ends a file's name; half a character
_KEY = re.compile(r"[\w -]+")


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys and values of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Loader(yaml.SafeLoader):
    """The safe loader, which also collects repeated keys, odd texts and numbers."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.problems: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; add a problem for each repeated key."""
        seen = set()
        for key_node, _ in node.value:
            if str(key_node.value) in seen:
                line = key_node.start_mark.line + 1
                self.problems.append(f"{key_node.value}: is repeated in line {line}")
            seen.add(str(key_node.value))
        return super().construct_mapping(node, deep)

    def construct_text(self, node: yaml.ScalarNode) -> str:
        """Return the text; add a problem for a character that no name and no log can hold."""
        text = self.construct_yaml_str(node)
        for odd in _UNUSABLE.findall(text)[:1]:
            line = node.start_mark.line + 1
            self.problems.append(f"a text in line {line} must not hold U+{ord(odd):04X}")
        return text

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Return the number; add a problem if its digits say another one."""
        is_whole = node.tag.endswith(":int")
        value = self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)
        if ":" in node.value or (is_whole and not _PLAIN.fullmatch(node.value)):
            self.problems.append(
                f"{node.value} in line {node.start_mark.line + 1}: YAML reads it as {value}; "
                "write a number without a leading 0 or colons, or put it in quotes as text"
            )
        return value


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_text)


def read_yaml(path: Path) -> tuple[Any, list[str]]:
    """Return the content of a YAML file and its problems (encoding, syntax, repeated keys).

    The content is None if the encoding or the syntax is wrong.

    Raises:
        OSError: If the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return None, [f"must be UTF-8, got the byte {error.object[error.start]:#04x}"]
    return parse_yaml(text)


def parse_yaml(text: str) -> tuple[Any, list[str]]:
    """Return the content of a YAML text and its problems (syntax, repeated keys, odd numbers)."""
    try:
        loader = _Loader(text)
        return loader.get_single_data(), loader.problems
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        return None, [f"is not YAML: {problem}{where}"]


def describe(error: ValidationError, content: object, known: list[str]) -> list[str]:
    """Return a sentence for each problem: key, rule and value, or the nearest known key.

    A value that fails every choice of a union is one problem, its rules joined by "or".

    Args:
        error: Error that pydantic raised for the content of a file.
        content: The content.
        known: Keys to suggest for an unknown one.
    """
    sentences: dict[str, tuple[list[str], str]] = {}
    for problem in error.errors():
        key_path = _key_path(problem, content)
        rule, value = _rule(problem, known), _value(problem)
        rules, _ = sentences.setdefault(key_path, ([], value))
        if rule not in rules:
            rules.append(rule)
    return [
        f"{key_path}: {' or '.join(rules)}{value}"
        for key_path, (rules, value) in sentences.items()
    ]


def _key_path(problem: ErrorDetails, content: object) -> str:
    """Return keys and positions as ``grid.epochs[0]``, without pydantic's names of union types."""
    *_, last = location = problem["loc"] or ("",)
    text = ""
    for part in location:
        if isinstance(content, list) and isinstance(part, int):
            text, content = f"{text}[{part}]", content[part] if part < len(content) else None
        elif isinstance(content, dict) and part in content:
            name = str(part)
            text = f"{text}.{name if _KEY.fullmatch(name) else repr(name)}"
            content = content[part]
        elif part == last and problem["type"] == "missing":
            text += f".{part}"
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
    if problem["type"] in ("string_type", "literal_error") and isinstance(value, bool):
        return f", got {value!r} (YAML reads yes, no, on, off as true and false: put it in quotes)"
    if problem["type"] == "string_type" and isinstance(value, int | float | date):
        return f", got {value} (put it in quotes)"
    if not isinstance(value, str):
        return f", got {value!r}"
    return f", got the text {value!r}{_yaml_number(value)}"


def _yaml_number(text: str) -> str:
    """Return a hint as ``(write 2.0e-5)`` for a number that YAML reads as text."""
    if not _NUMBER.fullmatch(text):
        return ""
    digits, _, exponent = f"{float(text):e}".partition("e")
    digits = digits.rstrip("0")
    return f" (write {digits}{'0' if digits.endswith('.') else ''}e{int(exponent):+d})"
