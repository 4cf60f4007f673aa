"""Guards the answer on top of the results: verdicts by corrected p, else by the interval."""

from typing import Any

import pytest

from benchmarks.answer_blocks import in_short


def answer(p_holm: float, **over: float | None) -> list[str]:
    """Return the rows of the block for a difference, and an option with this corrected p."""
    names = ("f1_at_threshold", "accuracy_at_threshold", "auc")
    metrics = {f"test_{name}{end}": 0.7 for name in names for end in ("", "_low", "_high")}
    difference: dict[str, float | None] = {}
    for name in ("f1", "accuracy", "auc"):
        difference |= {name: 0.02, f"{name}_low": -0.01, f"{name}_high": 0.05}
    trials = [{f"test_{name}": value for name in names} for value in (0.70, 0.72)]
    option = {"lever": "cosine", "gain": 0.012, "low": 0.003, "high": 0.022, "p_holm": p_holm}
    other = {**option, "lever": "decay", "p_holm": 0.9}
    searched: dict[str, Any] = {"metrics": metrics, "difference": [difference | over]}
    text = in_short(
        {"numbers": {"champion": searched}},
        {"numbers": {"champion": {"ablations": [other, option]}}},
        {"numbers": {"trials": trials}},
    )
    return text.splitlines()[2:]


@pytest.mark.parametrize(
    ("over", "ending"),
    [
        ({}, "| +2.0 [-1.0, +5.0] | cannot be told from chance (by the interval; no p"),
        ({"auc_low": 0.001}, "| +2.0 [+0.1, +5.0] | yes (by the interval; no p"),
        ({"auc_low": 0.001, "auc_p_holm": 0.06}, "| cannot be told from chance |"),
        ({"auc_low": 0.001, "auc_p_holm": None}, "| cannot be told from chance |"),
        ({"auc_p_holm": 0.04}, "| yes |"),
    ],
)
def test_a_difference_holds_by_its_corrected_p_or_else_its_interval(
    over: dict[str, float | None], ending: str
) -> None:
    assert ending in answer(0.5, **over)[1]


def test_options_hold_below_the_level_and_the_nearest_is_shown() -> None:
    assert answer(0.063)[-1].endswith(
        "| cosine: +1.2 [+0.3, +2.2], corrected p .063 | none can be told from chance |"
    )
    assert answer(0.04)[-1].endswith("corrected p .040 | cosine |")


def test_scores_without_a_search_are_means_over_seeds() -> None:
    assert "F1 .710 ± .014, accuracy .710 ± .014, AUC .710 ± .014" in answer(0.5)[4]
