"""Guards the explanation of an example: causes by rule with evidence, and nearest pairs."""

import pandas as pd
import pytest

from analysis.example_words import explain

TRAIN = pd.DataFrame(
    {
        "first": ["a blue ship", "the red car", "green tree", "hot sun"],
        "second": ["one ship", "a car", "a tree", "the sun"],
        "label": [1, 0, 1, 0],
    }
)


def pair(**changes: object) -> pd.Series:
    row = {"first": "red car", "second": "car", "label": 0, "votes": 0.0, "voters": 3}
    return pd.Series({**row, "overlap": 0.3, **changes})


OCCLUDED = {"log_odds": 1.0, "first": [["red", -1.5], ["car", 0.2]], "second": [["car", None]]}


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"votes": 1.0}, "contested: 1 of 3 annotators"),
        ({"overlap": 0.6}, "no paraphrase and has many shared words (60%)"),
        ({"overlap": 0.05, "label": 1}, "hardly any shared words (5%)"),
    ],
)
def test_a_cause_is_stated_with_its_evidence(changes: dict[str, object], cause: str) -> None:
    assert any(cause in each for each in explain(pair(**changes), {}, 0.5, TRAIN)["causes"])


def test_a_word_that_crosses_the_threshold_flips_the_decision() -> None:
    found = explain(pair(), OCCLUDED, 0.5, TRAIN)
    assert found["causes"] == [
        "One word flips the decision: without “red” the log-odds change by -1.50."
    ]
    assert found["second_words"] == [{"text": "car", "change": None}]
    assert explain(pair(), OCCLUDED, 0.2, TRAIN)["causes"] == []  # -0.5 is above the log-odds


def test_the_nearest_training_pair_shares_rare_words() -> None:
    nearest = explain(pair(), {}, 0.5, TRAIN)["nearest"]
    assert nearest[0]["first"] == "the red car"
    assert nearest[0]["label"] == 0
    assert len(nearest) == 3
