"""Guards the comparison with others: time to an AUC, best AUC at a time, and its table."""

from typing import Any

from benchmarks.field_blocks import (
    against_field,
    best_at,
    best_so_far,
    readme_row,
    seconds_to,
    summarise,
)

MACHINE = dict.fromkeys(("date", "cores", "processor", "torch", "ray", "transformers"), "x")
FRAME = {"machine": MACHINE, "commit": "abc", "command": "python x.py"}
CURVE = best_so_far([(400.0, 0.81), (50.0, 0.79), (90.0, 0.825), (30.0, 0.70)])


def record(**programs: list[list[float]]) -> dict[str, Any]:
    made = {"exit_code": 0, "date": "x", "commit": "abc"}
    found = {name: {**made, "curve": curve} for name, curve in programs.items()}
    numbers = {"data": "parade", "pairs": None, "trials": 4, "minutes": 25.0, "programs": found}
    return {**FRAME, "numbers": {**numbers, "versions": {"optuna": "5.0.0"}}}


def test_a_worse_trial_that_ends_later_leaves_the_best() -> None:
    assert CURVE == [[30.0, 0.70], [50.0, 0.79], [90.0, 0.825], [400.0, 0.825]]
    assert best_so_far([]) == []
    assert best_so_far([(1.0, 0.6), (2.0, float("nan"))]) == [[1.0, 0.6]]


def test_an_auc_is_reached_by_the_first_trial_that_has_it() -> None:
    assert [seconds_to(CURVE, auc) for auc in (0.5, 0.79, 0.80, 0.83)] == [30.0, 50.0, 90.0, None]


def test_the_best_at_a_time_is_that_of_trials_that_had_ended() -> None:
    assert [best_at(CURVE, time) for time in (29.9, 30.0, 89.0, 1e9)] == [None, 0.70, 0.79, 0.825]


def test_others_are_compared_when_our_search_ended_wherever_it_was_measured() -> None:
    programs = record(tuner=CURVE, embeddings=[[399.0, 0.6], [401.0, 0.9]])["numbers"]["programs"]
    summary = summarise(programs)
    assert summary["embeddings"]["best_at"]["our_end"] == 0.6
    assert summary["tuner"]["seconds_to"] == {"0.80": 90.0, "0.82": 90.0, "0.84": None}
    assert (
        "our_end" not in summarise({"embeddings": programs["embeddings"]})["embeddings"]["best_at"]
    )


def test_the_block_has_a_row_for_each_program_that_was_measured() -> None:
    text = against_field(record(tuner=CURVE, cross_encoder=[]))
    assert "| when our search ended (6.7 min) |" in text
    ours, theirs = text.splitlines()[2:4]
    assert ours.endswith(
        "| 4 of 4 | 1 minutes 30 seconds | 1 minutes 30 seconds | never "
        "| .790 | .825 | .825 | .825 | .825 |"
    )
    assert theirs.endswith("| 0 of 4 | never | never | never | - | - | - | - | - |")
    assert "scikit-learn" not in text
    assert "was measured on" not in text
    assert "parade, all pairs; 4 trials each, stopped after 25 minutes; optuna 5.0.0." in text


def test_the_row_of_the_readme_has_the_best_of_each() -> None:
    programs = {"embeddings": [[240.0, 0.81]], "cross_encoder": [[50.0, 0.5], [1200.0, 0.7]]}
    name, words = readme_row(record(tuner=CURVE, **programs))
    assert name == "best validation AUC of trials on PARADE"
    assert words == (
        ".825 (4 in 7 min); sentence-transformers: embeddings .810 (1 in 4 min), "
        "`CrossEncoder` .700 (2 in 20 min)"
    )
