"""Guards error rates: counted in each bin, for each class by itself, with intervals."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.error_rates import ALL, OVERLAP, error_rates
from measures.intervals import Predictions

TEST = pd.DataFrame(
    {
        "group": ["car", "car", "sea", "", "sun", "sun"],
        "label": [0, 1, 1, 0, 0, 1],
        "votes": [1.0, 2.0, 3.0, 0.0, 1.0, 3.0],
        "voters": 3,
        "overlap": [0.9, 0.1, 0.3, 0.2, 0.8, 0.7],
        "pieces": 9,
    }
)


def model(*probabilities: float) -> Predictions:
    return Predictions(
        labels=TEST["label"].to_numpy(),
        entities=np.array([0, 0, 1, 2, 3, 3]),
        probabilities=np.array([probabilities]),
        seeds=np.array([0]),
        thresholds=np.array([0.5]),
    )


MODEL = model(0.9, 0.1, 0.9, 0.1, 0.9, 0.9)


def test_error_rates_are_counted_in_each_bin() -> None:
    table = error_rates(TEST, {"all": MODEL})
    votes = table[table["by"] == "votes for paraphrase (of 3)"].set_index("bin")["error_rate"]
    assert votes.to_dict() == {"0": 0, "1": 1, "2": 1, "3": 0}
    assert table.groupby("by")["pairs"].sum().eq(6).all()


def test_errors_of_the_classes_do_not_cancel_by_overlap() -> None:
    rows = error_rates(TEST, {"all": MODEL})
    by_class = rows[rows["by"] == OVERLAP].set_index(["of", "place"])["error_rate"]
    assert by_class["no paraphrase"].to_dict() == {0: 0, 3: 1}
    assert by_class["paraphrase"].to_dict() == {0: 1, 1: 0, 2: 0}
    assert ALL not in by_class


def test_a_property_with_a_single_value_has_no_rates() -> None:
    equal = TEST.assign(group="x", votes=np.nan, voters=0)
    assert set(error_rates(equal, {"all": MODEL})["by"]) == {OVERLAP}


def test_many_voters_come_in_quartiles_in_their_order() -> None:
    many = pd.concat([TEST] * 4, ignore_index=True).assign(votes=np.arange(24.0), voters=30)
    wide = replace(
        MODEL,
        labels=np.tile(MODEL.labels, 4),
        entities=np.tile(MODEL.entities, 4),
        probabilities=np.tile(MODEL.probabilities, 4),
    )
    rows = error_rates(many, {"all": wide})
    assert rows[rows["by"] == "votes for paraphrase (of 30)"]["bin"].tolist() == [
        "0 to 6", "6 to 12", "12 to 17", "17 to 23"
    ]  # fmt: skip


def test_bins_that_would_have_one_name_are_told_apart() -> None:
    close = TEST.assign(overlap=[0.001, 0.0011, 0.0012, 0.0013, 0.0014, 0.0015])
    rows = error_rates(close, {"all": MODEL})
    assert rows[rows["by"] == OVERLAP]["bin"].nunique() == 4


def test_an_interval_covers_its_rate_and_is_a_point_where_no_pair_is_wrong() -> None:
    table = error_rates(TEST, {"all": MODEL})
    pieces = table[(table["by"] == "pairs of the entity")]
    told = pieces["low"].notna()  # not for a bin of one entity
    assert told.any()
    inside = (pieces["low"] <= pieces["error_rate"]) & (pieces["error_rate"] <= pieces["high"])
    assert inside[told].all()
    right = error_rates(TEST, {"all": model(0.1, 0.9, 0.9, 0.1, 0.1, 0.9)})
    assert (right["error_rate"] == 0).all()
    assert set(right["low"].dropna()) == set(right["high"].dropna()) == {0.0}
