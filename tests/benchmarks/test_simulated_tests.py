"""Guards the simulation of intervals and tests: its truths, and that it sees a wrong interval."""

import numpy as np
import pytest

from benchmarks import simulated_tests
from benchmarks.simulated_tests import SIZES, draw_world, simulate, train, true_scores
from measures import comparison
from measures.intervals import Side, point_scores


def test_the_sizes_are_those_of_parades_splits() -> None:
    sizes = {name: (len(found), int(found.sum())) for name, found in SIZES.items()}
    assert sizes == {"test": (118, 1357), "validation": (110, 1275)}


def test_a_true_score_is_what_trainings_score_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_tests, "_WORLDS", 40)
    truth = true_scores(SIZES["test"], 0.5)
    generator = np.random.default_rng(5)
    scores = [
        point_scores(train(generator, draw_world(generator, SIZES["test"]), 5, 0.5))
        for _ in range(60)
    ]
    for metric in ("f1", "accuracy", "auc"):
        found = np.mean([score[metric] for score in scores])
        assert found == pytest.approx(truth[metric], abs=0.02)


def test_intervals_that_leave_out_a_source_of_variance_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulated_tests, "_WORLDS", 20)
    monkeypatch.setattr(comparison, "RESAMPLES", 200)

    def rejected() -> float:
        rows = simulate("test", 3, 0.55, ("f1",), 60)
        return next(row["rejected"] for row in rows if row["what"] == "trainings")

    assert rejected() < 0.15
    monkeypatch.setattr(Side, "seed_variance", 0.0)
    assert rejected() > 0.25
