"""Guards the tables and sentences on what votes allow and on what seeds and pairs can show."""

import numpy as np
import pandas as pd
import pytest

from analysis.ceiling_findings import about_ceiling, about_power, about_seeds
from analysis.ceiling_tables import (
    ALL,
    ORACLE,
    accuracy_by_votes,
    ceiling_of,
    least_differences,
    seed_deviation,
)
from measures.ceiling import vote_ceiling
from measures.intervals import Predictions

CEILING = vote_ceiling(np.array([0, 1, 2, 3] * 10), voters=3, needed=2)


def test_accuracy_by_votes_is_that_of_the_pairs_with_these_votes(predictions: Predictions) -> None:
    test = pd.DataFrame({"votes": [3.0, 0.0, 2.0, 2.0, 1.0, 0.0]})
    table = accuracy_by_votes(test, {"a": predictions}, CEILING)
    own = table[table["model"] == "a"].set_index("votes")
    # seed 3 errs on pairs 2 and 4, seed 8 on pairs 1 and 3
    assert own["accuracy"].to_dict() == {"0": 0.75, "1": 0.5, "2": 0.5, "3": 1.0, ALL: 2 / 3}
    assert own["pairs"].to_dict() == {"0": 2, "1": 1, "2": 2, "3": 1, ALL: 6}
    oracle = table[table["model"] == ORACLE].set_index("votes")
    assert oracle["accuracy"][ALL] == CEILING.accuracy
    assert oracle["accuracy"]["3"] == CEILING.accuracy_by_votes[3]
    (first, second) = about_ceiling(CEILING, table, voters=3)
    assert ".667 with a" in first
    assert "agreed, accuracy is .833, elsewhere .500" in second  # 5 of 6, 3 of 6


def test_votes_of_one_annotator_or_none_allow_no_ceiling(pairs: pd.DataFrame) -> None:
    assert ceiling_of(pairs) is not None
    assert ceiling_of(pairs.assign(votes=pairs["label"].astype(float))) is None
    assert ceiling_of(pairs.assign(votes=np.nan)) is None


def test_votes_that_a_label_does_not_follow_from_allow_no_ceiling(pairs: pd.DataFrame) -> None:
    labels = pairs["label"].where(pairs.index != 0, 0)  # of a pair with every vote
    assert ceiling_of(pairs.assign(label=labels)) is None


def test_the_deviation_over_seeds_is_pooled_within_arms() -> None:
    values = pd.Series([0.70, 0.72, 0.90, 0.90, 0.90, 0.50])
    arms = pd.Series(["all", "all", "some", "some", "some", "none"])
    assert seed_deviation(values, arms) == pytest.approx(np.sqrt(0.0002 / 3))
    assert np.isnan(seed_deviation(values[:1], arms[:1]))


def test_half_a_point_needs_eight_seeds_at_a_third_of_a_point_of_spread() -> None:
    (sentence,) = about_seeds(0.0033, "validation F1")
    assert "Validation F1 varies" in sentence
    assert "0.3 points" in sentence
    assert "with 8 seeds of each" in sentence
    assert about_seeds(float("nan"), "validation F1") == []
    (wide,) = about_seeds(0.3, "validation F1")  # as where one seed collapsed
    assert "with more than 10000 seeds of each" in wide


def test_a_single_mode_is_held_against_the_baseline(predictions: Predictions) -> None:
    other = predictions.at(0.3)
    least = least_differences({"a": predictions, "base": other}, "base")
    assert least[["model", "other"]].to_numpy().tolist() == [["a", "base"]]
    two = least_differences({"a": predictions, "b": predictions, "base": other}, "base")
    assert two[["model", "other"]].to_numpy().tolist() == [["b", "a"]]
    assert two["least"].tolist() == [0.0]
    assert about_power(two, entities=3) == []  # of equal predictions nothing is known
    (sentence,) = about_power(least.assign(least=0.03), entities=3)
    assert "However many seeds are run, the 3 entities of the test split show no" in sentence
    (alone,) = about_power(least.assign(least=0.03, seeds=1), entities=3)
    assert alone.startswith("The 3 entities of the test split show no difference")
    assert "of these very runs, of which one has a single seed" in alone
    assert about_power(least[:0], entities=3) == []
