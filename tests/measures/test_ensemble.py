"""Guards greedy ensembles: what they choose, and that no fold is judged by its own pairs."""

import numpy as np
import pytest

from measures import ensemble
from measures.metrics import area_under_curve

ENTITIES = np.repeat(np.arange(30), 10)
LABELS = np.tile([0, 1], 150)


def signals(*strengths: float) -> np.ndarray:
    """Return the probabilities of independent classifiers of these strengths."""
    noise = np.random.default_rng(0).normal(size=(len(strengths), len(LABELS)))
    return 1 / (1 + np.exp(-(np.array(strengths)[:, None] * (2 * LABELS - 1) + noise)))


def test_two_that_complete_each_other_are_worth_more_than_each() -> None:
    labels = np.array([1, 1, 0, 0])
    both = np.array([[0.9, 0.4, 0.5, 0.1], [0.4, 0.9, 0.1, 0.5]])  # each ranks three of four
    useless = np.full((1, 4), 0.5)
    weights = ensemble.greedy_weights(labels, np.concatenate([both, useless]))
    assert weights.tolist() == [0.5, 0.5, 0.0]


def test_the_best_alone_keeps_all_the_weight() -> None:
    perfect = np.where(LABELS == 1, 0.9, 0.1)
    weights = ensemble.greedy_weights(LABELS, np.stack([1 - perfect, perfect]))
    assert weights.tolist() == [0.0, 1.0]


def test_no_fold_is_judged_by_an_ensemble_that_saw_it() -> None:
    pool = signals(*[0.0] * 40)  # nothing but noise, of which a selection finds the luckiest
    found = ensemble.held_out_probabilities(LABELS, ENTITIES, pool)
    chosen = ensemble.greedy_weights(LABELS, pool) @ pool
    assert area_under_curve(LABELS, chosen) > 0.6
    assert area_under_curve(LABELS, found) < 0.55


def test_the_gain_is_that_of_the_ensemble_and_its_interval_holds_it() -> None:
    pool = signals(0.5, 0.5, 0.5)
    found = ensemble.greedy_gain(LABELS, ENTITIES, pool, pool[0])
    assert found["gain"] == pytest.approx(found["auc"] - found["reference_auc"])
    assert 0 < found["low"] < found["gain"] < found["high"]


def test_entities_of_one_class_each_choose_nothing_for_the_other() -> None:
    labels, entities = np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])
    pool = np.array([[0.9, 0.8, 0.2, 0.1], [0.1, 0.2, 0.8, 0.9]])
    found = ensemble.held_out_probabilities(labels, entities, pool)
    np.testing.assert_allclose(found, 0.5)  # the mean of both
