"""Guards the checks of pairs: every wrong value is named with its pair, its side and the rule."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.pair_checks import PairError, check_lengths, check_texts


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "pair 2: the first definition must be a text, got a missing value"),
        (math.nan, "pair 2: the first definition must be a text, got a missing value"),
        (7, "pair 2: the first definition must be a text, got 7"),
        (True, "pair 2: the first definition must be a text, got True"),
        (["a"], r"pair 2: the first definition must be a text, got \['a'\]"),
        ({"a": 1}, r"pair 2: the first definition must be a text, got \{'a': 1\}"),
        ("a\ud800", "pair 2: the first definition must be a text in Unicode, got half of a char"),
    ],
)
def test_a_value_that_is_no_text_is_named(value: object, message: str) -> None:
    with pytest.raises(PairError, match=message):
        check_texts(["a", value], ["b", "c"])


def test_five_problems_are_shown_and_the_others_counted() -> None:
    with pytest.raises(PairError) as caught:
        check_texts([None] * 4, [None] * 4)
    lines = str(caught.value).split("\n")
    assert [line[:8] for line in lines[:5]] == [
        "pair 1: ",
        "pair 1: ",
        "pair 2: ",
        "pair 2: ",
        "pair 3: ",
    ]
    assert lines[5:] == ["... and 3 more"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_is_one(text: str) -> None:
    check_texts([text], ["b"])


def test_a_text_that_cleaning_empties_is_told_from_an_empty_one() -> None:
    with pytest.raises(PairError, match=r"from 1 to 9 word pieces.* got 0: cleaning empties '\*'"):
        check_lengths((["*"], ["b"]), ([[]], [[1]]), 9)
    with pytest.raises(PairError, match=r"the second definition must .* got 0$"):
        check_lengths((["a"], [" "]), ([[1]], [[]]), 9)
    with pytest.raises(PairError, match=r"the second definition must .* got 10$"):
        check_lengths((["a"], ["b"]), ([[1]], [[1] * 10]), 9)
