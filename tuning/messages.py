"""pydantic's findings in the words that users of a YAML file read."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

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


def describe(error: ValidationError, known: list[str]) -> list[str]:
    """Return one sentence a problem: place, rule, value, and the nearest of the ``known`` keys.

    A value that fails every choice of a union is told once, with all the rules joined by "or".
    """
    sentences: dict[str, tuple[list[str], str]] = {}
    for problem in error.errors():
        place = _place(problem["loc"])
        rule, value = _rule(problem, known), _value(problem)
        rules, _ = sentences.setdefault(place, ([], value))
        if rule not in rules:
            rules.append(rule)
    return [f"{place}: {' or '.join(rules)}{value}" for place, (rules, value) in sentences.items()]


def _place(location: tuple[int | str, ...]) -> str:
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
