"""Labels of pairs: which words mean 1 and 0, and the line that says so for other words."""

from __future__ import annotations

import json
from collections.abc import Collection

from models.columns import NAME, Columns
from models.text_lines import shown

_MOST_WORDS, _LONGEST_WORD = 8, 60  # kinds of labels that a message lists, and letters of each
_TRUE, _FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")


def label_words(columns: Columns) -> dict[str, int]:
    """Return the label, 1 or 0, of each word that stands for one."""
    labels = columns.labels or {1: ["1"], 0: ["0"]}
    return {word: label for label, words in labels.items() for word in words}


def label_problem(word: str, known: Collection[str]) -> str:
    """Return the rule that a word breaks which stands for no label."""
    if word == "-1":
        return "must be 0 or 1, got '-1', which marks hidden labels of a test split"
    if not word:
        return "must not be empty"
    if set(known) == {"0", "1"}:
        return f"must be 0 or 1, got {shown(word)}"
    return f"must be one of {', '.join(map(shown, known))}, as {NAME} says, got {shown(word)}"


def label_advice(words: Collection[str]) -> str | None:
    """Return the line of ``columns.yaml`` by which these words are read; None if none can be.

    Words that are no numbers or truth values are left for the user to divide.

    Args:
        words: All words in the column of the labels.
    """
    if "-1" in words:
        return "labels of -1 are hidden, as in test splits of GLUE; use a split that has labels"
    words = set(words) - {""}
    if not 2 <= len(words) <= _MOST_WORDS or max(map(len, words)) > _LONGEST_WORD:
        return None
    sides = {1: _words_of(words, _TRUE), 0: _words_of(words, _FALSE)}
    if len(sides[1]) + len(sides[0]) == len(words):
        return f"if these labels are meant, write into {NAME} the line {_line(sides)}"
    return (
        f"if these labels are meant, write into {NAME} the line {_line({1: [], 0: sorted(words)})}"
        " and move those of a paraphrase to 1"
    )


def _words_of(words: Collection[str], same: tuple[str, ...]) -> list[str]:
    return sorted(word for word in words if word.strip().lower() in same)


def _line(sides: dict[int, list[str]]) -> str:
    inner = (f"{label}: {json.dumps(words, ensure_ascii=False)}" for label, words in sides.items())
    return f"labels: {{{', '.join(inner)}}}"
