"""Guards the baselines: they learn from overlap, see no test label, use the rule of the models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from measures import baselines
from measures.metrics import choose_threshold
from measures.overlap import word_overlap
from tests.analysis.conftest import make_pairs


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    """Return pairs that are paraphrases where they share most of their words."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(240):
        words = [f"word{n}" for n in generator.integers(0, 40, 6)]
        label = int(generator.random() < 0.5)
        other = words[: 5 if label else 1] + [f"else{n}" for n in generator.integers(0, 40, 3)]
        split = ("train", "train", "validation", "test")[number % 4]
        rows.append(
            (split, " ".join(words), " ".join(other), label, float(label), f"g{number % 9}")
        )
    return make_pairs(rows)


def test_learners_find_labels_that_follow_overlap(many: pd.DataFrame) -> None:
    codes = pd.factorize(many.loc[many["split"] == "test", "group"])[0]
    found = baselines.baseline_predictions(many, codes, "steady")
    for name in list(found)[1:]:
        decisions = found[name].decisions[0]
        assert f1_score(found[name].labels, decisions) > 0.9, name


def test_test_labels_do_not_reach_a_baseline(many: pd.DataFrame) -> None:
    test = many["split"] == "test"
    codes = pd.factorize(many.loc[test, "group"])[0]
    flipped = many.assign(label=many["label"].where(~test, 1 - many["label"]))
    one = baselines.baseline_predictions(many, codes, "steady")
    other = baselines.baseline_predictions(flipped, codes, "steady")
    for name in one:
        np.testing.assert_array_equal(one[name].decisions, other[name].decisions)


def test_the_threshold_follows_the_rule_of_the_models(many: pd.DataFrame) -> None:
    codes = pd.factorize(many.loc[many["split"] == "test", "group"])[0]
    name, validation = "word overlap (Jaccard)", many[many["split"] == "validation"]
    scores = word_overlap(validation["first"], validation["second"])
    for rule in ("steady", "maximum"):
        (cut,) = baselines.baseline_predictions(many, codes, rule, [name])[name].thresholds
        assert cut == choose_threshold(validation["label"].to_numpy(), scores, rule)[0]


@pytest.mark.parametrize("words", [1, 3, 12])
def test_small_data_has_fewer_topics_or_none(words: int) -> None:
    rows = [
        (split, f"only{number} " + " ".join(f"word{n}" for n in range(words * (number % 2))),
         f"other{number} word0" if number % 2 else f"other{number}", number % 2, 0.5, "g")
        for split in ("train", "validation", "test")
        for number in range(8)
    ]  # fmt: skip
    pairs = make_pairs(rows)
    found = baselines.baseline_predictions(pairs, np.zeros(8, dtype=int), "maximum")
    assert all(np.isfinite(model.probabilities).all() for model in found.values())


def test_texts_in_which_no_word_repeats_have_no_topics() -> None:
    rows = [
        (split, f"{split}{number}a", f"{split}{number}b", number % 2, 0.5, "g")
        for split in ("train", "validation", "test")
        for number in range(8)
    ]
    pairs = make_pairs(rows)
    train = (pairs["split"] == "train").to_numpy()
    overlap = baselines._overlap(pairs)
    np.testing.assert_array_equal(baselines._topic_features(pairs, train), overlap)
