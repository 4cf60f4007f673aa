"""Guards the table of a search's goals: values, intervals, and on which side of the goal."""

from typing import Any

import pytest

from benchmarks.search_blocks import ablations, goals, search

MACHINE = {"date": "2026-11-27", "cores": "2", "processor": "x", "torch": "2.13.0+cpu",
           "ray": "2.60.0", "transformers": "5.23.0"}  # fmt: skip


def made(f1: float, low: float, minutes: float) -> dict[str, Any]:
    """Return a record of a search with these results; the other goals are reached."""
    metrics: dict[str, float] = {}
    means = {"f1_at_threshold": f1, "accuracy_at_threshold": 0.74, "auc": 0.825}
    for name, mean in means.items():
        values = {"": mean, "_std": 0.003, "_low": mean - 0.04, "_high": mean + 0.03}
        metrics |= {f"test_{name}{end}": value for end, value in values.items()}
    cell = {"mean": 0.7, "low": 0.6, "high": 0.8, "model": "champion", "threshold": "0.5"}
    champion = {
        "params": {"head": "mean_pooling", "learning_rate": "0.00123456", "r_drop": "0.0"},
        "metrics": metrics,
        "difference": [{"auc": 0.034, "auc_low": low, "auc_high": 0.05}],
        "scores": [{**cell, "metric": metric} for metric in ("accuracy", "f1", "auc")],
    }
    stages = {"search": {"trials": 40, "until": 60.0},
              "confirm": {"trials": 15, "until": 60 * minutes},
              "ablation": {"trials": 30, "until": 9999.0}}  # fmt: skip
    numbers = {"champion": champion, "stages": stages, "trials": [], "fixed": {},
               "ranked_by": "f1"}  # fmt: skip
    return {"commit": "c" * 40, "command": "make search", "machine": MACHINE, "numbers": numbers}


@pytest.mark.parametrize(
    ("f1", "low", "minutes", "missed"),
    [(0.735, 0.001, 59.0, []), (0.734, 0.001, 59.0, [0]), (0.75, -0.001, 60.0, [3, 4])],
)
def test_goals_are_judged_by_their_bound(
    f1: float, low: float, minutes: float, missed: list[int]
) -> None:
    rows = goals(made(f1, low, minutes), None).split("\n\n")[0].splitlines()[2:]
    assert [n for n, row in enumerate(rows) if "| not reached" in row] == missed
    assert len(rows) == 5
    assert "| .735 | .735 ± .003 [.695, .765] | reached |" in rows[0] or f1 != 0.735
    assert f"| +3.4 [{100 * low:+.1f}, +5.0] |" in rows[3]


@pytest.mark.parametrize(
    ("auc", "p", "ending"),
    [
        (0.034, 0.004, ", p .004 | reached |"),
        (0.034, 0.06, ", p .060 | not reached |"),
        (-0.034, 0.004, ", p .004 | not reached |"),
        (0.034, None, ", p – | not reached |"),
    ],
)
def test_the_difference_is_judged_by_p_where_the_record_has_one(
    auc: float, p: float | None, ending: str
) -> None:
    record = made(0.74, 0.01, 9.0)
    record["numbers"]["champion"]["difference"][0] |= {"auc": auc, "auc_p_holm": p}
    row = goals(record, None).splitlines()[5]
    assert row.endswith(ending)
    assert "by interval" not in row
    assert "by interval (record without p)" in goals(made(0.74, 0.01, 9.0), None)


def test_the_frozen_pass_is_judged_by_the_smaller_ratio() -> None:
    encodings = {"pair": {"seconds": 50, "bytes": 390}, "separate": {"seconds": 10, "bytes": 100}}
    text = goals(made(0.74, 0.01, 9.0), {"numbers": {"encodings": encodings}})
    assert "| 5.00x, 3.90x | not reached |" in text


def test_a_search_without_ablations_has_no_table_of_them() -> None:
    text = search(made(0.74, 0.01, 9.0), None)
    assert "Ablations" not in text
    assert "The champion: mean pooling, learning rate 0.00123." in text
    assert "| champion | 0.5 | .700 [.600, .800] |" in text


def test_ablations_of_before_have_no_p_and_missing_values_are_dashes() -> None:
    row = {"lever": "R-Drop", "with": 0.72, "with_std": 0.01, "without": 0.73, "without_std": None,
           "gain": -0.01, "low": None, "high": None, "verdict": "cannot be told",
           "used": False}  # fmt: skip
    before = ablations({"numbers": {"champion": {"ablations": [row]}}})
    ending = "| cannot be told | off |"
    line = "| R-Drop | .720 ± .010 | .730 ± – | -1.0 [–, –] |"
    assert before.splitlines()[-1] == f"{line} {ending}".replace("| |", "|")
    assert "paired by seed" in before
    after = ablations({"numbers": {"champion": {"ablations": [{**row, "p_holm": 0.04}]}}})
    assert after.splitlines()[-1] == f"{line} .040 {ending}"
    assert "over seeds and entities" in after
