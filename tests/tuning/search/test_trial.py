"""Guards what a trial of a search reports: a collapse cannot win, and every number is finite."""

import math
from dataclasses import replace

import pytest

from measures.objective import OBJECTIVE, SEED_MEAN, Objective, flags_of
from tuning.search.trial import SeedScores, report_of
from tuning.training.trainer import EpochResult

FLOOR = 0.65
F1, AUC = Objective(name="f1", floor=FLOOR), Objective(name="auc", floor=0.5)
GOOD = EpochResult(
    epoch=1,
    train_loss=0.6,
    val_loss=0.6,
    scores={"f1": 0.5, "positive_rate": 0.4, "auc": 0.8, "auc_standard_error": 0.02}
    | {"threshold": 0.3, "f1_at_threshold": 0.7, "target_loss": 0.5},
    seconds=1.0,
)


def scored(
    f1: float, rate: float = 0.4, area: float = 0.8, *, loss: float = 0.5, **changes: object
) -> EpochResult:
    scores = {"f1_at_threshold": f1, "positive_rate": rate, "auc": area, "target_loss": loss}
    return replace(GOOD, scores={**GOOD.scores, **scores}, **changes)


def objective(*epochs: list[EpochResult]) -> float:
    seed_scores = SeedScores(F1, len(epochs[0]))
    for results in epochs:
        seed_scores.update(results)
    return seed_scores.metrics()["objective"]


def test_the_objective_is_the_mean_over_seeds_of_each_seeds_best_epoch() -> None:
    first = [scored(0.75, loss=0.6), scored(0.72, loss=0.4)]
    second = [scored(0.74, loss=0.5), scored(0.78, loss=0.5)]
    assert objective(first, second) == pytest.approx((0.74 + 0.72) / 2)


@pytest.mark.parametrize(("rate", "area"), [(0.0, 0.8), (1.0, 0.8), (0.4, 0.53)])
def test_a_flagged_epoch_counts_as_all_positive(rate: float, area: float) -> None:
    assert objective([scored(0.9, rate, area)]) == FLOOR
    flagged = scored(0.9, rate, area, loss=0.1)
    assert objective([flagged], [scored(0.66)]) == objective([scored(0.66)], [flagged]) == 0.66


def test_a_seed_that_diverges_counts_as_all_positive_even_after_a_good_epoch() -> None:
    seed_scores = SeedScores(F1, 2)
    seed_scores.update([scored(0.74), scored(0.72)])
    seed_scores.update([scored(0.74, diverged=True), scored(0.70)])
    found = seed_scores.metrics()
    assert found["objective"] == pytest.approx((FLOOR + 0.72) / 2)
    assert found["diverged"] == 1.0
    assert all(math.isfinite(value) for value in found.values())


def test_a_collapsed_trial_is_flagged_by_its_best_epoch() -> None:
    seed_scores = SeedScores(F1, 1)
    seed_scores.update([scored(0.9, 1.0, 0.5)])
    assert flags_of(seed_scores.metrics()) == ["collapsed", "all positive at 0.5"]
    seed_scores.update([scored(0.7)])
    assert flags_of(seed_scores.metrics()) == []


def test_a_report_holds_no_test_score() -> None:
    seed_scores = SeedScores(F1, 1)
    seed_scores.update([GOOD])
    report = report_of([GOOD], seed_scores.metrics(), 4)
    assert (report[OBJECTIVE], report[SEED_MEAN]) == (0.7, 0.7)
    assert not [name for name in (*report, *report["best"]) if name.startswith("test")]


def test_by_auc_a_trial_is_worth_the_auc_of_each_seeds_best_epoch_and_reports_f1_too() -> None:
    seed_scores = SeedScores(AUC, 2)
    seed_scores.update([scored(0.7, area=0.8, loss=0.4), scored(0.6, area=0.9, loss=0.5)])
    seed_scores.update([scored(0.8, area=0.85, loss=0.5), scored(0.7, area=0.86, loss=0.4)])
    found = seed_scores.metrics()
    assert found[SEED_MEAN] == pytest.approx((0.8 + 0.86) / 2)
    report = report_of(seed_scores.history[-1], found, 4)
    assert report[SEED_MEAN] == found[SEED_MEAN]
    assert report[OBJECTIVE] == pytest.approx(0.7)
    seed_scores.update([scored(0.8, diverged=True), scored(0.7, rate=1.0, area=0.9, loss=0.1)])
    assert seed_scores.metrics()[SEED_MEAN] == pytest.approx((0.5 + 0.86) / 2)
