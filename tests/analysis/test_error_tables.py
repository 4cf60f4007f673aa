"""Guards confusion and examples: chosen by rule, described only by what can be counted."""

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
            "voters": [3, 3, 3, 3],
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
    wrong = {line: label == 0 for line, label in zip(scored["line"], scored["label"], strict=True)}
    lines = [found["line"] for found in error_tables.choose_examples(maps, scored, wrong, set())]
    assert lines == [2, 4]
    shown = error_tables.choose_examples(maps, scored, wrong, {"car"})
    assert [found["line"] for found in shown] == [5, 4]


def test_what_is_right_at_the_threshold_is_no_example(scored: pd.DataFrame) -> None:
    maps = [{"line": line} for line in (2, 5, 3, 4)]  # errors at 0.5, of an earlier version
    decided = {2: False, 5: True, 3: False, 4: True}  # by the trial's threshold
    found = error_tables.choose_examples(maps, scored, decided, set())
    assert [each["line"] for each in found] == [5, 3]


def test_a_comment_states_what_can_be_counted(scored: pd.DataFrame) -> None:
    found = {**MAP, "pair": scored.iloc[0]}
    row = error_tables.describe_example(found, 0.9, scored)
    assert row["kind"] == "false positive"
    assert (
        "share 90 % of their words; none of the test split's other pairs shares more"
        in (row["comment"])
    )
    assert "annotators" not in row["comment"]  # that they were divided is a cause
    assert "“car” with “car” (0.90)" in row["comment"]


@pytest.mark.parametrize(
    ("overlap", "rank"),
    [
        (0.1, "none of the test split's paraphrases shares fewer"),
        (0.999, "none of the test split's paraphrases shares more"),
        (0.1003, "less than 1 % of the test split's paraphrases share fewer"),
        (0.899, "more than 99 % of the test split's paraphrases share fewer"),
        (0.5, "50 % of the test split's paraphrases share fewer"),
    ],
)
def test_the_rank_of_an_overlap_reads_well_at_both_ends(
    scored: pd.DataFrame, overlap: float, rank: str
) -> None:
    others = np.concatenate([np.linspace(0.1, 0.9, 1000), [0.999]])
    test = pd.DataFrame({"label": 1, "overlap": others})
    pair = scored.iloc[1].copy()
    pair["overlap"] = overlap
    comment = error_tables.describe_example({"line": 3, "pair": pair}, 0.1, test)["comment"]
    assert rank in comment


def test_errors_come_surest_first_with_the_maps_that_the_log_has(scored: pd.DataFrame) -> None:
    labels = scored.set_index("line")["label"]
    probability = pd.Series({2: 0.6, 3: 0.1, 4: 0.3, 5: 0.9})
    found = error_tables.surest_errors(probability, labels, 0.2, [MAP])
    assert [each["line"] for each in found] == [5, 2, 3]  # 4 is right at this threshold
    assert found[1] is MAP
    assert "weights" not in found[0]


def test_a_head_without_attention_has_examples_and_says_why_there_is_no_map(
    scored: pd.DataFrame,
) -> None:
    found = {"line": 2, "pair": scored.iloc[0]}
    assert "ttention" not in error_tables.describe_example(found, 0.9, scored)["comment"]
    assert error_tables.why_no_map("mean_pooling", []) == (
        "The head (mean_pooling) has no attention weights: there is no map of them."
    )
    assert "other errors" in error_tables.why_no_map("cross_attention", [MAP])


def test_unknown_votes_are_not_mentioned(scored: pd.DataFrame) -> None:
    pairs = scored.assign(votes=np.nan)
    comment = error_tables.describe_example({**MAP, "pair": pairs.iloc[0]}, 0.9, pairs)
    assert "annotators" not in comment["comment"]


def test_a_head_that_pools_names_the_heaviest_words(scored: pd.DataFrame) -> None:
    pooled = {**MAP, "weights": [0.0, 0.5, 0.1, 0.2, 0.1, 0.05, 0.05, 0.0]}
    row = error_tables.describe_example({**pooled, "pair": scored.iloc[0]}, 0.9, scored)
    assert "weights are highest on “car”, “red”, “car”." in row["comment"]
    signs = {**pooled, "tokens": ["+"] * len(pooled["tokens"]), "pair": scored.iloc[0]}
    assert "weights" not in error_tables.describe_example(signs, 0.9, scored)["comment"]


def test_confusion_is_a_mean_over_seeds(predictions: Predictions) -> None:
    row = error_tables.confusion({"all": predictions}).iloc[0]
    assert [row[name] for name in ("tn", "fp", "fn", "tp")] == [2.0, 1.0, 1.0, 2.0]


def test_confusion_is_at_the_threshold_and_beside_it_at_half(predictions: Predictions) -> None:
    row = error_tables.confusion({"all": predictions.at(0.35)}).iloc[0]
    assert [row[name] for name in ("tn", "fp", "fn", "tp")] == [1.5, 1.5, 0.5, 2.5]
    halves = [row[f"{name}_at_half"] for name in ("tn", "fp", "fn", "tp")]
    assert halves == [2.0, 1.0, 1.0, 2.0]


def test_the_votes_are_of_as_many_as_voted(scored: pd.DataFrame) -> None:
    five = scored.assign(votes=[5.0, 0.0, 1.0, 2.0], voters=5)
    row = error_tables.describe_example({**MAP, "pair": five.iloc[0]}, 0.9, five)
    assert "5 of 5 annotators called it a paraphrase: they agreed." in row["comment"]


def test_a_long_text_is_shortened_for_the_page(scored: pd.DataFrame) -> None:
    long = scored.assign(first="x" * 5000)
    row = error_tables.describe_example({**MAP, "pair": long.iloc[0]}, 0.9, long)
    assert len(row["first"]) == 600
    assert row["first"].endswith("x…")


@pytest.mark.parametrize(
    ("tokens", "segments", "template"),
    [
        (MAP["tokens"], MAP["segments"], "[CLS] first [SEP] second [SEP]"),
        (["<s>", "a", "</s>", "</s>", "b", "c", "</s>"], [1, 2, 1, 1, 3, 3, 1],
         "<s> first </s> </s> second </s>"),
    ],
)  # fmt: skip
def test_the_input_is_that_of_the_encoder(
    tokens: list[str], segments: list[int], template: str
) -> None:
    found = {"tokens": tokens, "segments": segments}
    assert error_tables.input_template(found) == template


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
