"""Guards comparisons: intervals and p-values by seed and entity; one seed has no deviation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from measures import comparison
from measures.intervals import Predictions, holm
from tests.measures.drawn_predictions import drawn_predictions, first_seed


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "RESAMPLES", 400)


def test_pairs_without_a_group_are_entities_of_their_own() -> None:
    codes = comparison.entity_codes(pd.Series(["a", "", "a", ""]))
    assert codes[0] == codes[2]
    assert len(set(codes)) == 3


def test_entities_are_told_apart_whatever_the_numbers_of_the_rows() -> None:
    codes = comparison.entity_codes(pd.Series(["a", "", "", "a"], index=[7, 13, 9, 1]))
    assert codes[0] == codes[3]
    assert len(set(codes)) == 3


def test_without_a_baseline_or_a_second_mode_there_is_less_to_compare(
    predictions: Predictions,
) -> None:
    assert comparison.declared_comparisons(["all", "some"], None) == [("some", "all")]
    assert comparison.differences({"all": predictions}, []).empty


def test_models_without_seeds_are_compared_as_they_are(predictions: Predictions) -> None:
    fixed = first_seed(predictions, fixed=True)
    (row,) = comparison.differences({"a": fixed, "b": fixed}, [("a", "b")]).to_dict("records")
    assert (row["model"], row["other"], row["seeds"]) == ("a", "b", 0)
    assert row["f1_p"] == 1.0


def test_the_interval_of_a_score_ends_at_one() -> None:
    side = training(np.random.default_rng(8), 12.0, by_seed=0.0, by_entity=6.0)
    table = comparison.scores_with_intervals({"one": side}).set_index("metric")
    assert table.loc["recall", "high"] == 1.0
    assert table["seeds"].tolist() == [3] * 5


def test_every_declared_comparison_has_an_interval_and_corrected_p_values(
    predictions: Predictions,
) -> None:
    other = predictions.at(0.35)
    declared = comparison.declared_comparisons(["all", "some"], "words")
    assert declared == [("some", "all"), ("all", "words"), ("some", "words")]
    table = comparison.differences({"all": predictions, "some": other, "words": other}, declared)
    assert (table["f1_low"] <= table["f1"]).all()
    assert (table["f1"] <= table["f1_high"]).all()
    for metric in ("f1", "accuracy", "precision", "recall", "auc"):
        assert table[f"{metric}_p_holm"].tolist() == pytest.approx(
            holm(table[f"{metric}_p"].tolist())  # each metric is a family of its own
        )
    assert table["f1"].tolist()[2] == 0


def test_one_seed_has_an_interval_but_no_p_unless_the_model_is_fixed() -> None:
    generator = np.random.default_rng(4)
    one, other = (training(generator, by_seed=1.0, by_entity=1.0) for _ in range(2))
    models = {"one": one, "once": first_seed(other), "words": first_seed(other, fixed=True)}
    table = comparison.differences(models, [("one", "once"), ("one", "words")])
    assert table["seeds"].tolist() == [1, 3]
    assert table["f1_low"].tolist()[0] == table["f1_low"].tolist()[1]
    assert table["f1_p"].isna().tolist() == [True, False]
    assert table["f1_p_holm"].tolist()[1] == table["f1_p"].tolist()[1]  # the only test


def test_the_interval_of_a_score_widens_by_seeds_alone_and_by_entities_alone() -> None:
    generator = np.random.default_rng(6)

    def width(side: Predictions) -> float:
        table = comparison.scores_with_intervals({"one": side}).set_index("metric")
        return float(table.loc["f1", "high"] - table.loc["f1", "low"])  # type: ignore[operator]

    seeds = copied(40, training(generator, by_seed=2.0, by_entity=0.0))
    assert width(seeds) > 0.02
    assert width(replace(seeds, probabilities=seeds.probabilities[[0, 0, 0]])) < 1e-12
    assert width(first_seed(training(generator, by_seed=0.0, by_entity=2.0))) > 0.02


def test_a_score_of_one_entity_has_no_interval(predictions: Predictions) -> None:
    alone = replace(predictions, entities=np.zeros(6, dtype=int))
    table = comparison.scores_with_intervals({"one": alone})
    assert table[["low", "high"]].isna().all(axis=None)
    assert table["mean"].notna().all()


def test_a_single_seed_has_no_standard_deviation(predictions: Predictions) -> None:
    models = {"one": first_seed(predictions), "two": predictions}
    table = comparison.scores_with_intervals(models)
    by_model = table.set_index(["model", "metric"])["std"]
    assert np.isnan(by_model["one", "accuracy"])
    assert by_model["two", "accuracy"] == pytest.approx(np.std([4 / 6, 4 / 6], ddof=1))


def training(
    generator: np.random.Generator, strength: float = 1.0, *, by_seed: float, by_entity: float
) -> Predictions:
    """Return 3 seeds on 30 entities of 8 pairs, whose ranking differs by seed and by entity."""
    labels, entities = np.tile([0, 1], 120), np.repeat(np.arange(30), 8)
    hard = np.random.default_rng(9).normal(size=240)  # the same for every training
    found = strength + by_seed * generator.normal(size=(3, 1))
    found = found + by_entity * generator.normal(size=30)[entities]
    return drawn_predictions(labels, entities, found * (labels - 0.5) + hard)


def copied(pairs: int, predictions: Predictions) -> Predictions:
    """Return the first pairs as the pairs of each of 2 entities, so that all are equal."""
    return replace(
        predictions,
        labels=np.tile(predictions.labels[:pairs], 2),
        entities=np.repeat(np.arange(2), pairs),
        probabilities=np.tile(predictions.probabilities[:, :pairs], 2),
    )


def width(one: Predictions, other: Predictions, metric: str = "auc") -> float:
    found = comparison.gain_of_trainings(one, other, metric)
    return found["high"] - found["low"]


@pytest.mark.parametrize("metric", ["auc", "f1"])
def test_a_gain_is_uncertain_by_seeds_alone_and_by_entities_alone(metric: str) -> None:
    generator = np.random.default_rng(0)
    sides = [training(generator, by_seed=2.0, by_entity=0.0) for _ in range(2)]
    one, other = (copied(40, side) for side in sides)
    assert width(one, other, metric) > 0.02  # seeds differ, entities are equal
    first, second = (replace(p, probabilities=p.probabilities[[0, 0, 0]]) for p in (one, other))
    assert width(first, second, metric) < 1e-12  # neither differs
    sides = [training(generator, by_seed=0.0, by_entity=2.0) for _ in range(2)]
    assert width(sides[0], sides[1], metric) > 0.02  # entities differ, seeds are equal


def test_trainings_that_differ_by_seed_alone_are_rarely_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparison, "RESAMPLES", 200)
    generator = np.random.default_rng(1)
    found = []
    for _ in range(300):
        sides = [training(generator, by_seed=0.5, by_entity=0.0) for _ in range(2)]
        one, other = (copied(40, side) for side in sides)
        found.append(comparison.gain_of_trainings(one, other, "auc")["p"])
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.08
    assert 0.4 <= np.mean(np.array(found) <= 0.5) <= 0.6


@pytest.mark.parametrize("by_seed", [0.0, 0.5])
def test_trainings_that_differ_by_entity_are_rarely_told_apart(
    monkeypatch: pytest.MonkeyPatch, by_seed: float
) -> None:
    monkeypatch.setattr(comparison, "RESAMPLES", 200)
    generator = np.random.default_rng(1)
    found = []
    for _ in range(60):
        one, other = (training(generator, by_seed=by_seed, by_entity=1.0) for _ in range(2))
        found.append(comparison.gain_of_trainings(one, other, "auc")["p"])
    assert np.mean(np.array(found) <= 0.05) <= 0.1
    assert np.mean(np.array(found) <= 0.5) >= 0.2


def test_a_real_gain_is_told() -> None:
    generator = np.random.default_rng(2)
    one = training(generator, 2.0, by_seed=0.1, by_entity=0.5)
    other = training(generator, by_seed=0.1, by_entity=0.5)
    better, worse = (
        comparison.gain_of_trainings(*sides, "auc") for sides in ((one, other), (other, one))
    )
    assert better["p"] < 0.01
    assert 0 < better["low"] < better["gain"] < better["high"]
    assert worse["gain"] == -better["gain"]
    assert worse["high"] < 0


def test_one_seed_or_one_entity_tells_no_interval() -> None:
    side = training(np.random.default_rng(3), by_seed=1.0, by_entity=0.0)
    alone = replace(side, entities=np.zeros(240, dtype=int))
    for one, other in ((side, first_seed(side)), (alone, alone)):
        found = comparison.gain_of_trainings(one, other, "auc")
        assert np.isnan([found["low"], found["high"], found["p"]]).all()
        assert np.isfinite(found["gain"])
