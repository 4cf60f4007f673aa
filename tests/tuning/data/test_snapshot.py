"""Guards the snapshot of the data in the log: complete, and as the trials saw it."""

from pathlib import Path

import pandas as pd

from tests.tuning.data.test_prepared import experiment
from tuning.data.prepared import prepare
from tuning.data.snapshot import write_pairs
from tuning.data.sources import DataLocations


def test_a_snapshot_has_raw_texts_cleaned_texts_and_word_pieces(
    tmp_path: Path,
) -> None:
    together = experiment(trial={"encoding": "pair"})
    prepared = prepare(together, DataLocations(cache=tmp_path))
    write_pairs(tmp_path / "pairs.parquet", prepared)
    record = pd.read_parquet(tmp_path / "pairs.parquet")
    assert len(record) == 1400 + 280 + 420
    test = record[record["split"] == "test"].reset_index(drop=True)
    pairs = prepared.pairs.splits["test"]
    assert test["first"].tolist() == pairs.first
    assert test["line"].tolist() == pairs.lines
    both = test["first_pieces"] + " " + test["second_pieces"]
    pieces = [len(text.split()) for text in both]
    lengths = prepared.tokens.splits["test"].lengths[: len(test)]
    assert [count + 3 for count in pieces] == lengths.tolist()
    assert set(record["special_tokens"]) == {3}
    assert set(record["special_tokens_of_text"]) == {2}
    assert set(record["voters"]) == {0}


def test_a_snapshot_names_the_steps_that_changed_a_text(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        rows = "first\tsecond\tlabel\n- a  b\tc\t1\nd\te\t0\n"
        (tmp_path / f"{split}.tsv").write_text(rows)
    prepared = prepare(experiment(data=str(tmp_path)), DataLocations(cache=tmp_path))
    write_pairs(tmp_path / "pairs.parquet", prepared)
    row = pd.read_parquet(tmp_path / "pairs.parquet").iloc[0]
    assert (row["raw_first"], row["first"]) == ("- a  b", "a b")
    assert (row["first_cleaned_by"], row["second_cleaned_by"]) == ("bullets spaces", "")


def test_a_snapshot_says_how_many_voted(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        rows = "first\tsecond\tlabel\tyes\na\tb\t1\t4\nc\td\t0\t1\n"
        (tmp_path / f"{split}.tsv").write_text(rows)
    (tmp_path / "columns.yaml").write_text("votes: yes\nvoters: 5\n".replace("yes", "'yes'"))
    prepared = prepare(experiment(data=str(tmp_path)), DataLocations(cache=tmp_path))
    write_pairs(tmp_path / "pairs.parquet", prepared)
    record = pd.read_parquet(tmp_path / "pairs.parquet")
    assert set(record["voters"]) == {5}
    assert (record["votes"] * record["voters"]).round().tolist() == [4, 1] * 3
