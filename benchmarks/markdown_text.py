"""Pieces of Markdown for measured numbers: tables, scores, intervals, where they are from."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

Record = dict[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of text cells."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def score(value: float) -> str:
    """Return a score between 0 and 1 as .123, or 1.00."""
    return "1.00" if value >= 0.9995 else f"{value:.3f}".removeprefix("0")


def signed(value: float) -> str:
    """Return a difference of scores as +.012."""
    return _with_sign(value, 3).replace("0.", ".", 1)


def spread(values: Sequence[float]) -> str:
    """Return mean ± standard deviation of scores over seeds."""
    return f"{score(statistics.mean(values))} ± {score(statistics.stdev(values))}"


def points(value: float) -> str:
    """Return a difference of scores in points, +1.2 for .012."""
    return _with_sign(100 * value, 1)


def _with_sign(value: float, digits: int) -> str:
    """Return a rounded number with its sign, zero without one."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def short(value: float) -> str:
    """Return a number with three digits, or a whole one from 100 on."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """Return a time in words."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} minutes {rest} seconds" if minutes else f"{rest} seconds"


def origin(*records: Record) -> str:
    """Return the line on where records are from: date, commit, machine, versions, commands."""
    machine = records[0]["machine"]
    commits = dict.fromkeys(record.get("commit", "unknown")[:7] for record in records)
    commands = dict.fromkeys(f"`{record['command']}`" for record in records if record["command"])
    how = f": {', '.join(commands)}" if commands else ""
    return (
        f"*{machine['date']}, commit {', '.join(commits)}; {machine['cores']} cores, "
        f"{machine['processor']}; torch {machine['torch'].partition('+')[0]}, Ray "
        f"{machine['ray']}, transformers {machine['transformers']}{how}*"
    )
