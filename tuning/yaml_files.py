"""YAML that hides nothing: repeated keys are problems, and a syntax error is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


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
        place = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        return None, [f"is not YAML: {problem}{place}"]
