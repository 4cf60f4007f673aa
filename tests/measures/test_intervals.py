"""Guards intervals and tests: values worked by hand or by scikit-learn, and clustered errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from measures.intervals import (
    Predictions,
    count_scores,
    draw_entities,
    entity_counts,
    holm,
    interval,
    mcnemar_p,
    permutation_p,
    point_scores,
    resample,
    resample_rate,
    weighted_auc,
)


def test_counts_are_by_entity_as_tn_fp_fn_tp(predictions: Predictions) -> None:
    counts = entity_counts(predictions)
    assert counts[0].tolist() == [[1, 0, 0, 1], [0, 1, 1, 1], [1, 0, 0, 0]]
    assert counts.shape == (2, 3, 4)


def test_scores_agree_with_scikit_learn(predictions: Predictions) -> None:
    scores = point_scores(predictions)
    for seed in range(2):
        decisions, own = predictions.decisions[seed], predictions.probabilities[seed]
        assert scores["f1"][seed] == pytest.approx(f1_score(predictions.labels, decisions))
        assert scores["auc"][seed] == pytest.approx(roc_auc_score(predictions.labels, own))


def test_scores_without_a_positive_decision_are_zero_and_finite() -> None:
    scores = count_scores(np.array([3, 0, 2, 0]))
    assert {name: float(value) for name, value in scores.items()} == {
        "accuracy": 0.6,
        "f1": 0.0,
        "precision": 0.0,
        "recall": 0.0,
    }


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(1, 3)), min_size=4))
def test_a_weight_counts_as_that_many_copies(rows: list[tuple[int, int, int]]) -> None:
    labels, scores, weights = map(np.array, zip(*[*rows, (0, 1, 1), (1, 2, 1)], strict=True))
    copies = roc_auc_score(np.repeat(labels, weights), np.repeat(scores, weights))
    assert weighted_auc(labels, scores, weights[None, :])[0] == pytest.approx(copies)


def test_drawing_every_entity_once_keeps_the_scores_in_the_range_of_the_seeds(
    predictions: Predictions,
) -> None:
    once = resample(predictions, np.ones((5, 3), dtype=int), seed=0)
    points = point_scores(predictions)
    for name, values in once.items():
        assert (
            points[name].min() - 1e-12
            <= values.min()
            <= values.max()
            <= points[name].max() + 1e-12
        )


def test_whole_entities_are_drawn() -> None:
    drawn = draw_entities(7, 50, seed=1)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()


def clustered(noise: float, seed: int, entities: int = 40, size: int = 25) -> Predictions:
    """Return predictions with errors by entity: all pairs of one are right, or all are wrong."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, entities * size)
    groups = np.repeat(np.arange(entities), size)
    wrong = (generator.random(entities) < noise)[groups]
    probabilities = np.where(wrong, 1 - labels, labels) * 0.8 + 0.1
    return Predictions(
        labels=labels,
        entities=groups,
        probabilities=probabilities[None, :],
        seeds=np.array([0]),
        thresholds=np.array([0.5]),
    )


def test_clustered_errors_widen_the_interval() -> None:
    found = clustered(0.3, seed=0)
    alone = Predictions(
        labels=found.labels,
        entities=np.arange(len(found.labels)),
        probabilities=found.probabilities,
        seeds=found.seeds,
        thresholds=found.thresholds,
    )
    widths = []
    for each in (found, alone):
        drawn = draw_entities(int(each.entities.max()) + 1, 500, seed=0)
        low, high = interval(resample(each, drawn, seed=0)["accuracy"])
        widths.append(high - low)
    assert widths[0] > 3 * widths[1]  # the root of 25 pairs an entity is 5


def test_equal_models_do_not_differ_and_unequal_ones_do() -> None:
    one, other = clustered(0.1, seed=0), clustered(0.6, seed=0)
    assert permutation_p(one, one, 200, seed=0) == 1.0
    assert permutation_p(one, other, 999, seed=0) == pytest.approx(0.001)
    assert permutation_p(one, other, 999, seed=0) == permutation_p(other, one, 999, seed=0)


def test_a_model_with_one_seed_is_paired_with_every_seed_of_the_other() -> None:
    one, other, single = (clustered(noise, seed=0) for noise in (0.1, 0.35, 0.25))
    found = [
        permutation_p(
            Predictions(
                labels=one.labels,
                entities=one.entities,
                probabilities=np.vstack([first.probabilities, second.probabilities]),
                seeds=np.array([0, 1]),
                thresholds=np.array([0.5, 0.5]),
            ),
            single,
            999,
            seed=0,
        )
        for first, second in ((one, other), (other, one))
    ]
    assert found[0] == found[1] > permutation_p(one, single, 999, seed=0)


def test_one_in_twenty_p_values_lies_below_a_twentieth_when_nothing_differs() -> None:
    found = []
    for seed in range(100):
        generator = np.random.default_rng(seed)
        base = clustered(0.3, seed)
        swap = generator.random((2, len(base.labels))) < 0.2
        pair = [
            Predictions(
                labels=base.labels,
                entities=base.entities,
                probabilities=np.where(flip, 1 - base.probabilities[0], base.probabilities[0])[
                    None
                ],
                seeds=base.seeds,
                thresholds=base.thresholds,
            )
            for flip in swap
        ]
        found.append(permutation_p(pair[0], pair[1], 99, seed))
    assert 0 <= np.mean(np.array(found) <= 0.05) <= 0.12
    assert 0.35 <= np.mean(np.array(found) <= 0.5) <= 0.65


def test_mcnemar_is_exact(predictions: Predictions) -> None:
    right = Predictions(
        labels=predictions.labels,
        entities=predictions.entities,
        probabilities=predictions.labels[None, :].astype(float),
        seeds=np.array([0]),
        thresholds=np.array([0.5]),
    )
    wrong = Predictions(
        labels=predictions.labels,
        entities=predictions.entities,
        probabilities=1 - right.probabilities,
        seeds=np.array([0]),
        thresholds=np.array([0.5]),
    )
    assert mcnemar_p(right, wrong) == pytest.approx(2 * 0.5**6)


def test_holm_correction_equals_values_worked_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_an_error_rate_varies_with_entities_alone_and_with_seeds_alone() -> None:
    drawn = draw_entities(2, 400, seed=0)
    entities = np.array([0, 0, 1, 1])
    whole = np.array([[True, True, False, False]])  # one entity is wrong as a whole
    rates = resample_rate(whole, entities, drawn, seed=0)
    assert set(rates) == {0.0, 0.5, 1.0}
    seeds = np.array([[True] * 4, [False] * 4])  # one seed is wrong on every pair
    rates = resample_rate(seeds, entities, drawn, seed=0)
    assert set(rates) == {0.0, 0.5, 1.0}
    alone = resample_rate(whole[:, :2], entities[:2], drawn, seed=0)
    assert np.isnan(alone).sum() == (drawn[:, 0] == 0).sum()
