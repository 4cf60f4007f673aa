"""Guards power: textbook numbers of seeds, and the error that entities alone decide."""

from dataclasses import replace

import numpy as np
import pytest

from measures.intervals import Predictions
from measures.power import least_difference, seeds_needed


@pytest.mark.parametrize(
    ("size", "seeds"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)]
)  # Cohen (1988), table 2.4.1, of a two-sided test at .05
def test_seeds_are_those_of_the_textbook(size: float, seeds: int) -> None:
    assert seeds_needed(0.01, 0.01 * size) == seeds


def test_half_a_point_needs_eight_seeds_at_a_third_of_a_point_of_spread() -> None:
    assert seeds_needed(0.0033, 0.005) == 8


def test_extremes_are_bounded() -> None:
    assert seeds_needed(1e-9, 0.005) == 2
    assert seeds_needed(1.0, 1e-6) == 10_000


def models(entities: int, seeds: int = 1) -> tuple[Predictions, Predictions]:
    """Return two models that err at random on entities of 10 pairs."""
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=10 * entities)
    one = Predictions(
        labels=labels,
        entities=np.repeat(np.arange(entities), 10),
        probabilities=generator.random((1, len(labels))).repeat(seeds, axis=0),
        seeds=np.arange(seeds),
        thresholds=np.full(seeds, 0.5),
    )
    return one, replace(one, probabilities=generator.random(one.probabilities.shape))


def test_more_entities_show_smaller_differences() -> None:
    few, many = (least_difference(one, two, "f1") for one, two in map(models, (25, 400)))
    assert many == pytest.approx(few / 4, rel=0.35)


def test_seeds_with_the_same_predictions_show_nothing_smaller() -> None:
    one, two = models(25, 1)
    first, second = [
        replace(
            side,
            probabilities=side.probabilities.repeat(9, axis=0),
            seeds=np.arange(9),
            thresholds=np.full(9, 0.5),
        )
        for side in (one, two)
    ]
    assert least_difference(first, second, "f1") == pytest.approx(least_difference(one, two, "f1"))


def test_what_seeds_are_right_about_by_chance_is_no_bound() -> None:
    generator = np.random.default_rng(0)
    fixed, _ = models(100)
    one, two = [
        replace(
            fixed,
            probabilities=fixed.labels ^ (generator.random((seeds, 1000)) < 0.3),
            seeds=np.arange(seeds),
            thresholds=np.full(seeds, 0.5),
        )
        for seeds in (8, 8)
    ]
    alone = [
        replace(side, probabilities=side.probabilities[:1], seeds=side.seeds[:1],
                thresholds=side.thresholds[:1])
        for side in (one, two)
    ]  # fmt: skip
    # both err everywhere alike: with many seeds any difference would show
    of_one = least_difference(alone[0], alone[1], "accuracy")
    assert least_difference(one, two, "accuracy") < 0.4 * of_one / 8**0.5


def test_the_error_of_an_accuracy_is_that_of_independent_pairs() -> None:
    labels = np.zeros(400, dtype=int)
    right = np.random.default_rng(0).random(400) < 0.8
    one = Predictions(
        labels=labels,
        entities=np.arange(400),
        probabilities=np.where(right, 0.1, 0.9)[None],
        seeds=np.array([0]),
        thresholds=np.array([0.5]),
    )
    perfect = replace(one, probabilities=np.full((1, 400), 0.1))
    error = np.sqrt(right.mean() * (1 - right.mean()) / 400)
    assert least_difference(one, perfect, "accuracy") == pytest.approx(2.8 * error, rel=0.06)
