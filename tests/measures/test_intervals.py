"""Guards intervals and tests: values worked by hand or by scikit-learn, and clustered errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from measures.intervals import (
    Predictions,
    Side,
    count_scores,
    draw_entities,
    effective_entities,
    entity_counts,
    holm,
    interval,
    plausible_values,
    point_scores,
    resample_rate,
    scores_by_seed,
    two_sided_p,
    weighted_auc,
)


def test_counts_are_by_entity_as_tn_fp_fn_tp(predictions: Predictions) -> None:
    counts = entity_counts(predictions)
    assert counts[0].tolist() == [[1, 0, 0, 1], [0, 1, 1, 1], [1, 0, 0, 0]]
    assert counts.shape == (2, 3, 4)


def test_each_score_of_counts_has_its_formula_and_is_0_where_it_has_none() -> None:
    nothing = np.full((50, 4), 3) * [1, 0, 0, 0]  # no pair is a paraphrase, none is called one
    counts = np.array([[5, 2, 3, 4], [6, 0, 0, 1], *nothing])  # tn, fp, fn, tp
    scores = {name: found.tolist() for name, found in count_scores(counts).items()}
    assert scores["accuracy"] == [9 / 14, 1, *[1] * 50]
    assert scores["precision"] == [4 / 6, 1, *[0] * 50]
    assert scores["recall"] == [4 / 7, 1, *[0] * 50]
    assert scores["f1"] == [8 / 13, 1, *[0] * 50]


def test_an_area_of_one_pair_a_class_is_0_or_1_and_without_a_class_there_is_none() -> None:
    weights = np.array([[1, 1], *[[2, 0]] * 50, [0, 3]])
    first, *others = weighted_auc(np.array([0, 1]), np.array([0.2, 0.8]), weights)
    assert first == 1
    assert np.isnan(others).all()
    assert weighted_auc(np.array([1, 0]), np.array([0.2, 0.8]), weights)[0] == 0


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


def test_drawing_every_entity_once_keeps_the_scores(predictions: Predictions) -> None:
    once = scores_by_seed(predictions, np.ones((5, 3), dtype=int))
    for name, values in point_scores(predictions).items():
        np.testing.assert_allclose(once[name], np.repeat(values[:, None], 5, axis=1))


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
        low, high = interval(scores_by_seed(each, drawn)["accuracy"])
        widths.append(high - low)
    assert widths[0] > 3 * widths[1]  # the root of 25 pairs an entity is 5


def test_entities_count_by_their_sizes() -> None:
    assert effective_entities(np.repeat(np.arange(5), 3)) == pytest.approx(5)
    assert effective_entities(np.array([0, 0, 0, 1])) == pytest.approx(16 / 10)


def side(points: list[float], *, moved: float = 0.0, apart: float = 0.0) -> Side:
    """Return seeds whose resamples move together, and apart from each other, as far as told."""
    generator = np.random.default_rng(5)
    together, alone = generator.normal(size=4000), generator.normal(size=(len(points), 4000))
    found = np.array(points)
    return Side(points=found, resampled=found[:, None] + moved * together + apart * alone)


def test_plausible_values_vary_by_seeds_as_student_says() -> None:
    points = [0.60, 0.64, 0.68]
    low, high = interval(plausible_values([side(points)], 50, seed=0))
    half = 4.303 * 0.04 / np.sqrt(3)  # Student's t of two degrees of freedom
    assert (low, high) == pytest.approx((0.64 - half, 0.64 + half), abs=0.02)
    low, high = interval(plausible_values([side(points), side(points)], 50, seed=0))
    half = 2.776 * 0.04 * np.sqrt(2 / 3)  # of four, and of both sides' seeds
    assert (low, high) == pytest.approx((-half, half), abs=0.015)


@pytest.mark.parametrize(("effective", "quantile"), [(5, 2.776), (1000, 1.96)])
def test_plausible_values_vary_by_entities_as_student_says(
    effective: float, quantile: float
) -> None:
    low, high = interval(plausible_values([side([0.7] * 3, moved=0.01)], effective, seed=0))
    half = quantile * 0.01
    assert (low, high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.1 * half)


def test_two_effective_entities_leave_one_degree_of_freedom_as_do_fewer() -> None:
    for effective in (2.0, 1.2):
        low, high = interval(plausible_values([side([0.5] * 3, moved=0.01)], effective, seed=0))
        assert (high - low) / 2 == pytest.approx(12.7 * 0.01, rel=0.2)


def test_plausible_values_lean_to_the_side_that_resamples_lean_to() -> None:
    tail = np.random.default_rng(0).exponential(size=(1, 4000))
    skewed = Side(points=np.array([1.0]), resampled=tail)
    low, high = interval(plausible_values([skewed], 1000, seed=0))
    assert high - 1 > 2 * (1 - low)
    low, high = interval(plausible_values([side([0.0]), skewed], 1000, seed=0))
    assert -1 - low > 2 * (high + 1)


def test_what_entities_do_to_seeds_is_not_counted_as_seeds_too() -> None:
    assert side([0.6, 0.7]).seed_variance == pytest.approx(0.005)
    assert side([0.6, 0.7], apart=0.05).seed_variance == pytest.approx(0.0025, rel=0.1)
    assert side([0.6, 0.7], apart=0.2).seed_variance == 0
    assert side([0.6], apart=0.2).seed_variance == 0


def test_p_is_below_a_twentieth_where_the_interval_leaves_out_zero() -> None:
    values = np.linspace(-1, 49, 2001)  # 2 % are not above 0
    assert interval(values)[0] > 0
    assert two_sided_p(values) == two_sided_p(-values) == pytest.approx(2 * 42 / 2002)
    assert two_sided_p(np.append(values, np.nan)) == two_sided_p(values)
    assert two_sided_p(np.zeros(9)) == 1.0
    assert two_sided_p(np.ones(999)) == pytest.approx(0.002)


def test_holm_correction_equals_values_worked_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []
    corrected = holm([0.04, np.nan, 0.01])
    assert corrected[::2] == pytest.approx([0.04, 0.02])
    assert np.isnan(corrected[1])


def test_an_error_rate_varies_with_entities_alone_and_with_seeds_alone() -> None:
    entities = np.repeat(np.arange(4), 2)
    drawn = draw_entities(4, 800, seed=0)

    def width(wrong: np.ndarray) -> float:
        rates = resample_rate(wrong, entities, drawn, seed=0)
        assert 0 <= np.nanmin(rates) <= np.nanmax(rates) <= 1
        low, high = interval(rates)
        return high - low

    by_entity = np.tile(entities >= 2, (3, 1))  # two entities are wrong as a whole
    assert width(by_entity) > 0.4
    by_seed = np.array([[True, False] * 4] * 2 + [[False] * 8])  # entities are equal
    assert width(by_seed) > 0.4
    assert width(by_seed[:1]) < 1e-12  # one seed tells nothing of others
    assert width(by_seed[[0, 0, 0]]) < 1e-12  # neither differs


def test_an_error_rate_of_one_pair_an_entity_is_drawn_too() -> None:
    drawn = draw_entities(3, 400, seed=0)
    rates = resample_rate(np.array([[True, True]]), np.array([0, 1]), drawn, seed=0)
    assert (np.isnan(rates) == (drawn[:, :2].sum(axis=1) == 0)).all()
    assert set(rates[~np.isnan(rates)]) == {1.0}


def test_a_threshold_counts_for_every_seed(predictions: Predictions) -> None:
    assert predictions.at(0.65).decisions.sum(axis=1).tolist() == [2, 1]


def test_an_error_rate_without_pairs_or_of_one_entity_is_missing() -> None:
    drawn = draw_entities(3, 400, seed=0)
    wrong = np.array([[True, False, True, False]])
    rates = resample_rate(wrong, np.array([0, 0, 1, 1]), drawn, seed=0)
    assert np.isnan(rates).sum() == (drawn[:, :2].sum(axis=1) == 0).sum() > 0
    assert np.isnan(interval(resample_rate(wrong, np.zeros(4, dtype=int), drawn, seed=0))).all()
