"""Guards the explanation of an example: words with changes, causes, and nearest pairs."""

import pandas as pd

from analysis.example_words import explain

TRAIN = pd.DataFrame(
    {
        "first": ["a blue ship", "the red car", "green tree", "hot sun"],
        "second": ["one ship", "a car", "a tree", "the sun"],
        "label": [1, 0, 1, 0],
    }
)


PAIR = pd.Series(
    {
        "first": "red car",
        "second": "car",
        "raw_first": "red car",
        "raw_second": "car",
        "first_pieces": "red car",
        "second_pieces": "car",
        "label": 0,
        "votes": 0.0,
        "voters": 3,
        "overlap": 0.3,
    }
)
OCCLUDED = {"log_odds": 1.0, "first": [["red", -1.5], ["car", 0.2]], "second": [["car", None]]}


def test_words_have_the_changes_that_were_logged_and_causes_are_told() -> None:
    found = explain(PAIR, OCCLUDED, 0.5, TRAIN, {"red", "car"})
    assert found["second_words"] == [{"text": "car", "change": None}]
    assert [sentence[:20] for sentence in found["causes"]] == ["One word flips the d"]


def test_the_nearest_training_pair_shares_rare_words() -> None:
    nearest = explain(PAIR, {}, 0.5, TRAIN, set())["nearest"]
    assert nearest[0]["first"] == "the red car"
    assert nearest[0]["label"] == 0
    assert len(nearest) == 3
