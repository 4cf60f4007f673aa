"""Guards the expected best of random trials: equal to counting all subsets, within its band."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures.budget import budget_band, expected_best

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(np.array)


@given(values=SCORES)
def test_it_is_the_mean_of_the_maximum_over_all_subsets(values: np.ndarray) -> None:
    counted = [
        np.mean([max(subset) for subset in itertools.combinations(values, size)])
        for size in range(1, len(values) + 1)
    ]
    np.testing.assert_allclose(expected_best(values), counted, atol=1e-12)


@given(values=SCORES)
def test_it_rises_from_the_mean_to_the_maximum(values: np.ndarray) -> None:
    found = expected_best(values)
    assert found[0] == pytest.approx(values.mean())
    assert found[-1] == values.max()
    assert (np.diff(found) >= -1e-12).all()


def test_three_trials_by_hand() -> None:
    # pairs of .6, .7 and .9: the best is .7 once and .9 twice
    np.testing.assert_allclose(
        expected_best(np.array([0.9, 0.6, 0.7])), [2.2 / 3, (0.7 + 2 * 0.9) / 3, 0.9]
    )


def test_it_does_not_depend_on_the_order_and_takes_many_trials() -> None:
    values = np.random.default_rng(1).uniform(0.5, 0.9, 600)
    found = expected_best(values)
    np.testing.assert_allclose(found, expected_best(values[::-1]))
    assert found[-1] == values.max()
    assert np.isfinite(found).all()


def test_draws_with_replacement_expect_less() -> None:
    values = np.array([0.5, 0.6, 0.8, 0.9])
    pairs = itertools.product(values, repeat=2)
    assert expected_best(values)[1] > np.mean([max(pair) for pair in pairs])


def test_the_band_holds_the_curve_and_is_narrower_with_more_trials() -> None:
    values = np.random.default_rng(2).normal(0.7, 0.05, 200)
    few, many = budget_band(values[:10]), budget_band(values)
    for band, own in ((few, values[:10]), (many, values)):
        low, high = band
        assert (low <= expected_best(own)).all()
        assert (expected_best(own) <= high).all()
        assert high[-1] == own.max()
    assert np.diff(many[:, 0], axis=0) < np.diff(few[:, 0], axis=0) / 2
    np.testing.assert_array_equal(budget_band(np.full(4, 0.7)).round(12), np.full((2, 4), 0.7))
