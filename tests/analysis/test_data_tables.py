"""Guards the tables about the data set against counts by hand on a few pairs."""

import numpy as np
import pandas as pd
import pytest

from analysis import data_tables
from tests.analysis.conftest import make_pairs


def test_balance_counts_labels_and_votes(pairs: pd.DataFrame) -> None:
    test = data_tables.class_balance(pairs).set_index("split").loc["test"]
    assert (test["pairs"], test["positives"]) == (3, 2)
    assert [test[f"votes_{votes}_of_3"] for votes in range(4)] == [0, 1, 1, 1]


def test_unknown_votes_stay_unknown(pairs: pd.DataFrame) -> None:
    balance = data_tables.class_balance(pairs.assign(votes=np.nan))
    assert data_tables.vote_columns(balance) == []
    assert data_tables.overlap(pairs.assign(votes=np.nan))["votes"].isna().all()


def test_lengths_count_words_and_pieces_with_special_tokens(pairs: pd.DataFrame) -> None:
    row = data_tables.lengths(pairs).iloc[-1]
    assert (row["words"], row["longest_words"], row["pieces"]) == (8, 5, 11)
    counted = data_tables.lengths(pairs.assign(special_tokens=4))
    assert counted.iloc[-1]["pieces"] == 12
    summary = data_tables.length_summary(pairs, 10).set_index("measure")
    assert summary.loc["word pieces per pair", "share_over_limit"] == pytest.approx(1 / 9)


def test_pieces_of_texts_encoded_alone_are_those_of_the_longer_one(pairs: pd.DataFrame) -> None:
    both = data_tables.lengths(pairs)["pieces"] - 3
    longer = data_tables.lengths(pairs, separate=True)["pieces"] - 2
    assert (longer < both).all()
    assert (2 * longer >= both).all()
    counted = data_tables.lengths(pairs.assign(special_tokens_of_text=4), separate=True)
    assert (counted["pieces"] == longer + 4).all()
    summary = data_tables.length_summary(pairs, 6, separate=True).set_index("measure")
    over = summary.loc["word pieces of the longer text", "share_over_limit"]
    assert over == pytest.approx((longer + 2 > 6).mean())


def test_overlap_is_the_share_of_common_words(pairs: pd.DataFrame) -> None:
    assert data_tables.overlap(pairs)["overlap"].iloc[7] == pytest.approx(3 / 4)
    auc = data_tables.overlap_auc(data_tables.overlap(pairs))
    assert auc.set_index("split").loc["train", "auc"] == 1.0


def test_entities_come_largest_first_with_their_share(pairs: pd.DataFrame) -> None:
    sizes = data_tables.entity_sizes(pairs)
    test = sizes[sizes["split"] == "test"]
    assert test["group"].tolist() == ["sea", "sun"]
    assert test["share"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert not len(data_tables.entity_sizes(pairs.assign(group="")))


def test_leaks_between_and_within_splits_are_counted() -> None:
    found = data_tables.leaks(
        make_pairs(
            [
                ("train", "a", "b", 1, 1.0, "x"),
                ("train", "a", "b", 1, 1.0, "x"),
                ("validation", "b", "a", 0, 0.0, "y"),
                ("test", "c", "d", 0, 0.0, "x"),
                ("test", "d", "a", 1, 1.0, "x"),
            ]
        )
    )
    counts = found.set_index("check")["count"]
    assert counts["pairs that occur twice"] == 1
    assert counts["pairs that occur swapped"] == 1
    assert counts["entities in both train and test"] == 1
    assert counts["texts in both train and test"] == 1
    assert counts["texts in both train and validation"] == 2


def test_each_cleaning_step_shows_its_shortest_example(pairs: pd.DataFrame) -> None:
    changed = pairs.copy()
    changed.loc[0, ["raw_first", "first_cleaned_by"]] = ["- a  red car", "bullets spaces"]
    changed.loc[1, ["raw_second", "second_cleaned_by"]] = ["* one blue ship", "bullets"]
    table = data_tables.cleaning(changed).set_index("step")
    assert table.loc["bullets", "texts"] == 2
    assert table.loc["bullets", "before"] == "- a  red car"
    assert table.loc["spaces", "share"] == pytest.approx(1 / 18)
    assert not len(data_tables.cleaning(pairs))


def test_words_of_one_class_come_at_its_end_of_the_table() -> None:
    rows = [("train", f"yes thing {n}", "yes thing", 1, 1.0, "") for n in range(30)]
    rows += [("train", f"no thing {n}", "no thing", 0, 0.0, "") for n in range(30)]
    told = data_tables.telling_words(make_pairs(rows), count=3)
    assert told["word"].iloc[0] == "yes"
    assert told["word"].iloc[-1] == "no"
    everything = data_tables.telling_words(make_pairs(rows), count=40).set_index("word")
    assert everything.index.is_unique
    assert everything["z"].to_dict()["thing"] == pytest.approx(0, abs=1e-9)
