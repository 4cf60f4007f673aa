"""Guards what is said of a data set's splits: what two of them share, and a rare class."""

from pathlib import Path

import numpy as np
import pytest

from tuning.data.pairs import PairData, PairTable
from tuning.data.split_checks import describe_balance, describe_shared

Row = tuple[str, str, str]  # first text, second text, group
WAY_OUT = "in more than one split, so scores may be too high; python -m tuning.data.split makes"


def data(train: list[Row], test: list[Row], positives: int = 1) -> PairData:
    splits = {}
    for split, rows in {"train": train, "test": test}.items():
        firsts, seconds, groups = zip(*rows, strict=True)
        splits[split] = PairTable(
            first=list(firsts),
            second=list(seconds),
            labels=(np.arange(len(rows)) < positives).astype(int),
            votes=np.zeros(len(rows), dtype=np.float32),
            groups=list(groups),
            lines=list(range(len(rows))),
        )
    return PairData(splits=splits, files={"train": Path("train.tsv")}, fingerprint="")


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (("c", "d", "topic"), "1 group stands"),
        (("b", "a", ""), "1 pair and 2 texts stand"),
        (("a", "d", ""), "1 text stands"),
        (("a", "b", "topic"), "1 group, 1 pair and 2 texts stand"),
    ],
)
def test_groups_pairs_and_texts_in_two_splits_are_counted(test: Row, said: str) -> None:
    found = describe_shared(data([("a", "b", "topic"), ("x", "y", "")], [test, ("p", "q", "r")]))
    assert found is not None
    assert found.startswith(f"{said} {WAY_OUT}")


def test_nothing_is_said_of_splits_that_share_nothing() -> None:
    assert describe_shared(data([("a", "a", ""), ("a", "b", "t")], [("c", "d", "")])) is None


def test_few_texts_among_many_are_not_worth_a_notice() -> None:
    many: list[Row] = [(f"first {n}", f"second {n}", "") for n in range(100)]
    assert describe_shared(data(many, [("first 3", "other", "")])) is None  # 1 of 201
    assert describe_shared(data(many, [("second 3", "first 3", "")])) is not None


@pytest.mark.parametrize(
    ("positives", "said"),
    [
        (1, "paraphrases are 10.0 % of train and 10.0 % of test; --set class_weight=balanced "
         "lets both classes count alike"),
        (9, "paraphrases are 90.0 % of train and 90.0 % of test; --set class_weight=balanced "
         "lets both classes count alike"),
        (2, None),
        (8, None),
    ],
)  # fmt: skip
def test_a_rare_class_is_named_with_the_way_to_weight_it(positives: int, said: str | None) -> None:
    rows: list[Row] = [("a", "b", "")] * 10
    assert describe_balance(data(rows, rows, positives), weighted=False) == said


def test_the_way_is_left_out_where_it_was_taken() -> None:
    rows: list[Row] = [("a", "b", "")] * 10
    found = describe_balance(data(rows, rows), weighted=True)
    assert found == "paraphrases are 10.0 % of train and 10.0 % of test"
