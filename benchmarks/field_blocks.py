"""The best validation AUC by time of a search, and the page's table of three programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.markdown_text import Record, duration, origin, score, table

TARGETS = (0.80, 0.82, 0.84)  # validation AUC
MINUTES = (1, 5, 20)
OURS = "tuner"
PROGRAMS = {
    OURS: "this program, `run_search.py`",
    "cross_encoder": "sentence-transformers' `CrossEncoder` trainer in Optuna, all layers trained",
    "embeddings": "its `SentenceTransformer` embeddings, scikit-learn in Optuna",
}
Curve = Sequence[Sequence[float]]  # seconds since the start, best AUC so far; both rise


def best_so_far(ended: Iterable[tuple[float, float]]) -> list[list[float]]:
    """Return the best AUC after each trial, by time.

    Args:
        ended: Seconds from the start to the end of each trial, and its AUC, in any order. The
            AUC of a trial that diverged, NaN, is left out.
    """
    curve: list[list[float]] = []
    for seconds, auc in sorted(trial for trial in ended if math.isfinite(trial[1])):
        best = max(auc, curve[-1][1]) if curve else auc
        curve.append([round(seconds, 2), round(best, 6)])
    return curve


def seconds_to(curve: Curve, auc: float) -> float | None:
    """Return the seconds until a trial had at least this AUC; None if none had."""
    return next((seconds for seconds, best in curve if best >= auc), None)


def best_at(curve: Curve, seconds: float) -> float | None:
    """Return the best AUC at a time; None before the end of the first trial."""
    return max((best for end, best in curve if end <= seconds), default=None)


def summarise(programs: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return of each program the seconds to each AUC, and the best AUC at each time.

    Args:
        programs: For each program its ``curve``. The time at which our search ended, that is
            its last trial, is among the times if our program is among them.
    """
    times = {f"minute_{minutes}": 60.0 * minutes for minutes in MINUTES}
    if OURS in programs and programs[OURS]["curve"]:
        times["our_end"] = programs[OURS]["curve"][-1][0]
    return {
        name: {
            "seconds_to": {f"{auc:.2f}": seconds_to(found["curve"], auc) for auc in TARGETS},
            "best_at": {name: best_at(found["curve"], time) for name, time in times.items()},
        }
        for name, found in programs.items()
    }


def rows(numbers: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each program that was measured."""
    summary = summarise(numbers["programs"])
    ours = numbers["programs"].get(OURS, {"curve": []})["curve"]
    ends = [f"best at {minutes} min" for minutes in MINUTES]
    ends += [f"when our search ended ({ours[-1][0] / 60:.1f} min)"] if ours else []
    header = ["", "trials ended", *(f"to {score(auc)[:3]}" for auc in TARGETS), *ends, "best"]
    lines = []
    for name, words in PROGRAMS.items():
        if name not in summary:
            continue
        curve = numbers["programs"][name]["curve"]
        lines.append(
            [
                words,
                f"{len(curve)} of {numbers['trials']}",
                *("never" if seconds is None else duration(seconds)
                  for seconds in summary[name]["seconds_to"].values()),
                *map(_score, summary[name]["best_at"].values()),
                _score(curve[-1][1] if curve else None),
            ]
        )  # fmt: skip
    return header, lines


def _score(auc: float | None) -> str:
    return "-" if auc is None else score(auc)


def against_field(record: Record) -> str:
    """Return the time to a validation AUC, and the best AUC at a time, of each program."""
    numbers = record["numbers"]
    versions = ", ".join(f"{name} {version}" for name, version in numbers["versions"].items())
    pairs = f"{numbers['pairs']:,} training pairs" if numbers["pairs"] else "all pairs"
    after = (
        f"{numbers['data']}, {pairs}; {numbers['trials']} trials each, stopped after "
        f"{numbers['minutes']:g} minutes; {versions}."
    )
    for name, found in numbers["programs"].items():
        if (found["date"], found["commit"]) != (record["machine"]["date"], record["commit"]):
            after += f" `{name}` was measured on {found['date']}, commit {found['commit'][:7]}."
    return f"{table(*rows(numbers))}\n\n{origin(record)}\n\n{after}"


def readme_row(record: Record) -> list[str]:
    """Return the README's row: the best AUC of each program, by how many trials in which time."""
    curves = {name: found["curve"] for name, found in record["numbers"]["programs"].items()}
    best = {
        name: f"{score(curve[-1][1])} ({len(curve)} in {curve[-1][0] / 60:.0f} min)"
        for name, curve in curves.items()
    }
    return [
        "best validation AUC of trials on PARADE",
        f"{best[OURS]}; sentence-transformers: embeddings {best['embeddings']}, "
        f"`CrossEncoder` {best['cross_encoder']}",
    ]
