"""The block on top of the results: what the search found, and whether it holds."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown_text import Record, points, score, spread, table
from benchmarks.score_blocks import ACCURACY, F1
from measures.comparison import LEVEL

_TEST = {"F1": F1, "accuracy": ACCURACY, "AUC": "test_auc"}


def in_short(searched: Record, ablated: Record, unsearched: Record) -> str:
    """Return questions a reader comes with, each with its numbers and what they can claim.

    Args:
        searched: Record of a search with its champion.
        ablated: Record of a champion with its ablations.
        unsearched: Record of a launch with seeds of one classifier with no search.
    """
    champion = searched["numbers"]["champion"]
    over = champion["difference"][0]
    rows = [
        ["the champion's test scores, fresh seeds", _scores(champion["metrics"]), ""],
        *(
            [f"{name} over gradient boosting on word overlap, points", *_difference(over, metric)]
            for name, metric in (("AUC", "auc"), ("F1", "f1"), ("accuracy", "accuracy"))
        ),
        [
            "the same encoder without a search",
            ", ".join(
                f"{name} {spread([row[metric] for row in unsearched['numbers']['trials']])}"
                for name, metric in _TEST.items()
            ),
            "",
        ],
        _options(ablated["numbers"]["champion"]["ablations"]),
    ]
    return table(("question", "measured [95 % interval]", "does it hold?"), rows)


def _scores(metrics: dict[str, float]) -> str:
    return ", ".join(
        f"{name} {score(metrics[key])} [{score(metrics[f'{key}_low'])}, "
        f"{score(metrics[f'{key}_high'])}]"
        for name, key in _TEST.items()
    )


def _difference(over: dict[str, Any], metric: str) -> tuple[str, str]:
    """Return a difference in points, and whether it is told from chance, by p if there is one."""
    low, high = over[f"{metric}_low"], over[f"{metric}_high"]
    told = f"{points(over[metric])} [{points(low)}, {points(high)}]"
    if f"{metric}_p_holm" in over:
        p = over[f"{metric}_p_holm"]
        return told, _verdict(holds=p is not None and p < LEVEL)
    return told, f"{_verdict(holds=low > 0 or high < 0)} (by the interval; no p in this record)"


def _verdict(*, holds: bool) -> str:
    return "yes" if holds else "cannot be told from chance"


def _options(ablations: list[dict[str, Any]]) -> list[str]:
    """Return the row on options: how many were told from chance, and which came nearest."""
    told = [row for row in ablations if row["p_holm"] is not None]
    nearest = min(told, key=lambda row: row["p_holm"])
    holding = [row["lever"] for row in told if row["p_holm"] < LEVEL]
    gain = (
        f"{nearest['lever']}: {points(nearest['gain'])} [{points(nearest['low'])}, "
        f"{points(nearest['high'])}], corrected p {score(nearest['p_holm'])}"
    )
    question = f"which of {len(ablations)} options moves the champion's validation AUC, points"
    return [question, gain, ", ".join(holding) or "none can be told from chance"]
