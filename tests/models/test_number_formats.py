"""Guards the choice of a number format: clearly faster wins, and its text comes back."""

import pytest

from models.number_formats import Precision, Rates, read_precision


@pytest.mark.parametrize("frozen", ["float32", "bfloat16"])
@pytest.mark.parametrize("trained", ["float32", "bfloat16"])
def test_a_precision_is_read_back_from_its_text(frozen: str, trained: str) -> None:
    precision = Precision(frozen, trained)
    assert read_precision(str(precision)) == precision


def test_one_name_is_the_precision_of_both_as_in_earlier_cards() -> None:
    assert read_precision("bfloat16") == Precision("bfloat16", "bfloat16")


@pytest.mark.parametrize("text", ["float64", "", "float32 frozen", "auto"])
def test_another_text_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(ValueError, match=r"precision: must be one of float32; .*, got") as error:
        read_precision(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("float32", "bfloat16", "expected"),
    [(190e9, 81e9, "float32"), (90e9, 203e9, "bfloat16"), (100e9, 109e9, "float32")],
)
def test_bfloat16_is_chosen_where_it_is_clearly_faster(
    float32: float, bfloat16: float, expected: str
) -> None:
    rates, other = {"float32": float32, "bfloat16": bfloat16}, {"float32": 2.0, "bfloat16": 1.0}
    assert Rates(frozen=rates, trained=other).choose() == Precision(expected, "float32")
    assert Rates(frozen=other, trained=rates).choose() == Precision("float32", expected)
