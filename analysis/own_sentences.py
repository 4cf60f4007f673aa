"""A person's own sentences on misclassified examples, from a small YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from analysis.load_runs import StoreError


def read_sentences(path: Path) -> dict[int, str]:
    """Return the sentence on each pair, by its line in the test file.

    Raises:
        StoreError: If the file is no YAML, or no mapping of line numbers to sentences.
        OSError: If it cannot be read.
    """
    form = "it must map lines of the test file to sentences, as in `12: The label is wrong.`"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = f"put quotes around a sentence with a colon ({' '.join(str(error).split())})"
        raise StoreError(f"{path}: {form}; {told}") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path}: {form}, got {content!r}")
    for line, sentence in content.items():
        if type(line) is not int or not isinstance(sentence, str):
            raise StoreError(f"{path}: {form}, got {line!r}: {sentence!r}")
    return content


def add_sentences(
    examples: list[dict[str, Any]], sentences: dict[int, str], path: Path | None
) -> None:
    """Give each example the sentence on its line as ``note``.

    Raises:
        StoreError: If there is a sentence on a line of which no example is shown.
    """
    shown = sorted({example["line"] for example in examples})
    for line in sentences:
        if line not in shown:
            lines = ", ".join(map(str, shown)) or "none"
            raise StoreError(
                f"{path}: line {line} is none of the examples that the report shows; these are of "
                f"the lines {lines}"
            )
    for example in examples:
        example["note"] = sentences.get(example["line"], "")
