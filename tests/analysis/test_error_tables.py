"""Guards error rates and examples: chosen by rule, described only by what can be counted."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import error_tables
from measures.intervals import Predictions

MAP: dict[str, Any] = {
    "line": 2,
    "tokens": ["[CLS]", "the", "red", "car", "[SEP]", "one", "car", "[SEP]"],
    "segments": [1, 2, 2, 2, 1, 3, 3, 1],
    "weights": [[0.1, 0.1], [0.7, 0.2], [0.2, 0.9]],
}


@pytest.fixture
def scored() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line": [2, 3, 4, 5],
            "group": ["car", "car", "sea", ""],
            "label": [0, 1, 1, 0],
            "votes": [1.0, 2.0, 3.0, 0.0],
            "overlap": [0.9, 0.1, 0.3, 0.2],
            "pieces": [8, 9, 10, 11],
            "first": ["the red car", "a", "b", "c"],
            "second": ["one car", "d", "e", "f"],
            "raw_first": ["the red car", "not a", "b 5", "HTML c"],
            "raw_second": ["one car", "d", "e", "f"],
            "first_pieces": ["the red car", "a", "b", "c"],
            "second_pieces": ["one car", "d", "e", "f"],
        }
    )


def test_one_error_of_each_kind_is_chosen_and_no_entity_twice(scored: pd.DataFrame) -> None:
    maps = [{"line": line} for line in (2, 5, 3, 4)]
    lines = [found["line"] for found in error_tables.choose_examples(maps, scored, set())]
    assert lines == [2, 4]
    shown = error_tables.choose_examples(maps, scored, {"car"})
    assert [found["line"] for found in shown] == [5, 4]


def test_a_comment_states_what_can_be_counted(scored: pd.DataFrame) -> None:
    found = {**MAP, "pair": scored.iloc[0]}
    row = error_tables.describe_example(found, 0.9, scored, {"the", "red", "one"})
    assert row["kind"] == "false positive"
    assert (
        "share 90% of their words, more than in 50% of other pairs that are no" in row["comment"]
    )
    assert "1 of 3 experts called it a paraphrase: the annotators were split." in row["comment"]
    assert "Word pieces that the train split does not have: car." in row["comment"]
    assert "“car” with “car” (0.90)" in row["comment"]
    assert "Only one of the definitions" not in row["comment"]


@pytest.mark.parametrize(
    ("row", "expected"), [(1, "a negation"), (2, "a number"), (3, "an abbreviation")]
)
def test_what_only_one_definition_has_is_named(
    scored: pd.DataFrame, row: int, expected: str
) -> None:
    found = {**MAP, "pair": scored.iloc[row]}
    comment = error_tables.describe_example(found, 0.1, scored, set())["comment"]
    assert f"Only one of the definitions has {expected}." in comment


def test_unknown_votes_are_not_mentioned(scored: pd.DataFrame) -> None:
    pairs = scored.assign(votes=np.nan)
    comment = error_tables.describe_example({**MAP, "pair": pairs.iloc[0]}, 0.9, pairs, set())
    assert "experts" not in comment["comment"]


def test_a_head_that_pools_names_the_heaviest_words(scored: pd.DataFrame) -> None:
    pooled = {**MAP, "weights": [0.0, 0.5, 0.1, 0.2, 0.1, 0.05, 0.05, 0.0]}
    row = error_tables.describe_example({**pooled, "pair": scored.iloc[0]}, 0.9, scored, set())
    assert "weights are highest on “car”, “red”, “car”." in row["comment"]


def test_confusion_is_a_mean_over_seeds(predictions: Predictions) -> None:
    row = error_tables.confusion({"all": predictions}).iloc[0]
    assert [row[name] for name in ("tn", "fp", "fn", "tp")] == [2.0, 1.0, 1.0, 2.0]


def test_error_rates_are_counted_in_each_bin(scored: pd.DataFrame) -> None:
    model = Predictions(
        labels=scored["label"].to_numpy(),
        entities=np.array([0, 0, 1, 2]),
        probabilities=np.array([[0.9, 0.9, 0.9, 0.1]]),
        seeds=np.array([0]),
        thresholds=np.array([0.5]),
    )
    table = error_tables.error_rates(scored, {"all": model})
    votes = table[table["by"] == "votes for paraphrase"].set_index("bin")["error_rate"]
    assert votes.to_dict() == {"0 of 3": 0, "1 of 3": 1, "2 of 3": 0, "3 of 3": 0}
    assert table.groupby("by")["pairs"].sum().eq(4).all()


def test_a_flagged_trial_is_never_the_best() -> None:
    trials = pd.DataFrame(
        {
            "run_id": ["a", "b", "c"],
            "freezing": ["all", "all", "some"],
            "val_f1_at_threshold": [0.9, 0.7, 0.8],
            "collapsed": [1, 0, 0],
            "diverged": [0, 0, 0],
            "no_positive": [0, 0, 1],
            "all_positive": [0, 0, 0],
        }
    )
    best = error_tables.best_trials(trials)
    assert {mode: trial["run_id"] for mode, trial in best.items()} == {"all": "b"}
