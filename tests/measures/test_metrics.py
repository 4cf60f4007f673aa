"""Guards the scores: values worked by hand, and a threshold that no other one beats."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from measures.metrics import (
    all_positive_f1,
    area_under_curve,
    choose_threshold,
    log_loss,
    make_objective,
    score,
)
from measures.objective import Objective, ThresholdRule

RULES: tuple[ThresholdRule, ...] = ("steady", "maximum")
LABELS = np.array([1, 0, 1, 1, 0, 0, 0])
PROBABILITIES = np.array([0.9, 0.8, 0.5, 0.3, 0.2, 0.1, 0.1])


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    size = draw(st.integers(2, 30))
    labels = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    grid = st.integers(0, 20).map(lambda n: n / 20)  # coarse, so that values repeat
    values = draw(st.lists(grid, min_size=size, max_size=size))
    return np.array([0, 1, *labels]), np.array([0.35, 0.4, *values])


def test_scores_at_one_half_are_those_worked_by_hand() -> None:
    found = score(LABELS, PROBABILITIES, 0.5)  # 2 right and 1 wrong positives, 1 missed
    assert found["accuracy"] == pytest.approx(5 / 7)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["mcc"] == pytest.approx((2 * 3 - 1 * 1) / 12)
    assert found["positive_rate"] == pytest.approx(3 / 7)


def test_all_positive_scores_the_f1_of_the_class_share() -> None:
    found = score(LABELS, np.ones(7), 0.5)
    assert (found["recall"], found["mcc"], found["positive_rate"]) == (1.0, 0.0, 1.0)
    assert found["f1"] == pytest.approx(2 * 3 / (7 + 3))


def test_nothing_positive_scores_zero_and_not_nan() -> None:
    found = score(LABELS, np.zeros(7), 0.5)
    assert (found["precision"], found["f1"], found["mcc"]) == (0.0, 0.0, 0.0)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert area_under_curve(LABELS, PROBABILITIES) == pytest.approx(10 / 12)


def f1_by_hand(labels: np.ndarray, positive: np.ndarray) -> float:
    both = int((positive & (labels == 1)).sum())
    return 2 * both / max(int(positive.sum() + labels.sum()), 1)


@given(predictions())
def test_the_best_threshold_is_as_good_as_the_best_of_all(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, probabilities = data
    threshold, f1 = choose_threshold(labels, probabilities, "maximum")
    tried = [f1_by_hand(labels, probabilities >= cut) for cut in np.linspace(0, 1, 81)]
    assert f1 == pytest.approx(max(tried))
    assert score(labels, probabilities, threshold)["f1"] == pytest.approx(f1)


def test_the_threshold_lies_halfway_between_two_probabilities() -> None:
    threshold, f1 = choose_threshold(LABELS, PROBABILITIES, "maximum")
    assert threshold == pytest.approx(0.25)
    assert f1 == pytest.approx(6 / 7)


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_chosen() -> None:
    labels, probabilities = np.array([0, 0, 1, 1]), np.array([0.1, 0.45, 0.6, 0.9])
    for rule in RULES:
        assert choose_threshold(labels, probabilities, rule) == (pytest.approx(0.525), 1.0)


@pytest.mark.parametrize(
    ("probabilities", "nearest"),
    [([0.1, 0.2, 0.3, 0.6, 0.7, 0.8], 0.45), ([0.9, 0.92, 0.94, 0.96, 0.97, 0.98], 0.45)],
)
def test_the_nearest_to_one_half_may_lie_above_or_below_it(
    probabilities: list[float], nearest: float
) -> None:
    labels = np.array([1, 0, 0, 1, 0, 1])  # F1 of all six, and of the upper three, is 2/3
    found = choose_threshold(labels, np.array(probabilities), "maximum")
    assert found == (pytest.approx(nearest), pytest.approx(2 / 3))


def noisy(pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities that rank them with an AUC of about .8."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(pairs) < 0.49).astype(int)
    return labels, 1 / (1 + np.exp(-(generator.normal(size=pairs) + 1.2 * (labels - 0.5))))


def test_the_steady_rule_spreads_less_and_is_more_accurate_at_nearly_the_same_f1() -> None:
    population = noisy(50_000, 99)
    found = {}
    for rule in RULES:
        cuts = [choose_threshold(*noisy(1000, seed), rule)[0] for seed in range(60)]
        scores = [score(*population, cut) for cut in cuts]
        found[rule] = [np.mean([each[name] for each in scores]) for name in ("f1", "accuracy")]
        found[rule].append(np.std(cuts))
    (f1, accuracy, spread), (highest, lower, wider) = found["steady"], found["maximum"]
    assert f1 > highest - 0.003
    assert accuracy > lower + 0.005
    assert spread < wider


@pytest.mark.parametrize("positives", [5, 10, 20, 100, 500])
@pytest.mark.parametrize("rule", RULES)
def test_a_perfect_ranking_is_cut_where_it_is_perfect_however_rare_one_class_is(
    positives: int, rule: ThresholdRule
) -> None:
    labels = (np.arange(1000) >= 1000 - positives).astype(int)
    assert choose_threshold(labels, np.linspace(0.001, 0.999, 1000), rule)[1] == 1.0


@given(predictions(), st.sampled_from(RULES))
def test_a_threshold_lies_halfway_between_neighbours_and_has_the_f1_that_is_told(
    data: tuple[np.ndarray, np.ndarray], rule: ThresholdRule
) -> None:
    labels, probabilities = data
    threshold, f1 = choose_threshold(labels, probabilities, rule)
    cuts = np.concatenate([[0.0], np.unique(probabilities)])
    assert np.isclose(threshold, (cuts[1:] + cuts[:-1]) / 2).any()
    assert f1 == pytest.approx(score(labels, probabilities, threshold)["f1"])


@pytest.mark.parametrize("rule", RULES)
def test_three_pairs_and_equal_probabilities_have_a_threshold(rule: ThresholdRule) -> None:
    assert choose_threshold(np.array([0, 1, 1]), np.full(3, 0.4), rule) == (0.2, 0.8)
    found = choose_threshold(np.array([0, 1, 0]), np.array([0.1, 0.9, 0.3]), rule)
    assert found == (pytest.approx(0.6), 1.0)


def test_the_floor_of_an_objective_is_what_calling_every_pair_positive_scores() -> None:
    labels = np.array([1, 0, 0, 1, 0])
    assert all_positive_f1(labels) == pytest.approx(4 / 7)
    assert make_objective("f1", labels) == Objective(name="f1", floor=all_positive_f1(labels))
    assert make_objective("auc", labels) == Objective(name="auc", floor=0.5)


def test_log_loss_of_even_logits_is_the_log_of_two() -> None:
    assert log_loss(np.array([0, 1]), np.zeros((2, 2))) == pytest.approx(np.log(2))


def test_log_loss_of_huge_logits_is_finite() -> None:
    logits = np.array([[1e4, -1e4], [3e38, -3e38]], dtype=np.float32)
    assert log_loss(np.array([1, 0]), logits) == pytest.approx(1e4)


@given(predictions(), st.sampled_from([0.0, 0.35, 0.5, 0.62, 1.0]))
def test_scores_are_those_of_scikit_learn(
    data: tuple[np.ndarray, np.ndarray], threshold: float
) -> None:
    labels, probabilities = data
    found, predicted = score(labels, probabilities, threshold), probabilities >= threshold
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "precision": metrics.precision_score(labels, predicted, zero_division=0),  # pyright: ignore[reportArgumentType] - takes 0 too
        "recall": metrics.recall_score(labels, predicted),
        "f1": metrics.f1_score(labels, predicted),
        "mcc": metrics.matthews_corrcoef(labels, predicted),
        "positive_rate": predicted.mean(),
    }
    assert found == pytest.approx(expected)
    area = metrics.roc_auc_score(labels, probabilities)
    assert area_under_curve(labels, probabilities) == pytest.approx(area)


def test_a_worker_scores_without_importing_scikit_learn() -> None:
    code = (
        "import sys, numpy as np; from measures import metrics; "
        "metrics.score(np.array([0, 1]), np.array([.1, .9]), .5); "
        "metrics.choose_threshold(np.array([0, 1]), np.array([.1, .9]), 'steady'); "
        "sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
