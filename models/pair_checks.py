"""Checks of pairs of texts before a model reads them, and the error that names what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from reprlib import repr as shortened
from typing import TypeVar

_PROBLEMS_SHOWN = 5
Value = TypeVar("Value")


class PairError(ValueError):
    """Pairs that the model cannot take; the message has number, rule and value of the first.

    Args:
        problems: Number of a pair, from 1, and the rule with the value, for each problem.
    """

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__(list_problems(problems, "pair {}".format))
        self.problems = problems


def list_problems(problems: Sequence[tuple[int, str]], name_of: Callable[[int], str]) -> str:
    """Return the first problems, one a line, and how many more there are.

    Args:
        problems: Number of a pair, from 1, and the rule with the value, for each problem.
        name_of: Function from the number of a pair to its name.
    """
    lines = [f"{name_of(number)}: {problem}" for number, problem in problems[:_PROBLEMS_SHOWN]]
    more = len(problems) - len(lines)
    return "\n".join(lines + ([f"... and {more} more"] if more else []))


def check_texts(firsts: Sequence[object], seconds: Sequence[object]) -> None:
    """Raise a ``PairError`` if a value is no text, or has no form in UTF-8."""
    _check((firsts, seconds), _find_no_text)


def check_lengths(
    texts: Sequence[Sequence[str]],
    ids: Sequence[Sequence[list[int]]],
    limit: int,
    *,
    cut: bool = False,
) -> None:
    """Raise a ``PairError`` if a text has no word piece, or more than are taken.

    Args:
        texts: All first and all second texts, not cleaned.
        ids: Ids of the word pieces of each, cleaned.
        limit: Largest number of word pieces in a text.
        cut: Whether the model cuts longer texts, as it did in training.
    """

    def find(side: tuple[str, list[int]]) -> str | None:
        """Return the rule that a text breaks, None if it keeps it."""
        text, pieces = side
        if pieces and (cut or len(pieces) <= limit):
            return None
        emptied = "" if pieces or not text.strip() else f": cleaning empties {shortened(text)}"
        return (
            f"must have from 1 to {limit} word pieces, the most that the encoder takes, got "
            f"{len(pieces)}{emptied}"
        )

    _check([list(zip(*side, strict=True)) for side in zip(texts, ids, strict=True)], find)


def _check(sides: Sequence[Sequence[Value]], find: Callable[[Value], str | None]) -> None:
    found = [
        (number, f"the {side} definition {problem}")
        for number, pair in enumerate(zip(*sides, strict=True), 1)
        for side, value in zip(("first", "second"), pair, strict=True)
        if (problem := find(value)) is not None
    ]
    if found:
        raise PairError(found)


def _find_no_text(value: object) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "must be a text, got a missing value"
    if not isinstance(value, str):
        return f"must be a text, got {shortened(value)}"
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"must be a text in Unicode, got half of a character in {shortened(value)}"
    return None
