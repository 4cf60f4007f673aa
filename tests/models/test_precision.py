"""Guards the choice of precision: a named one is kept, auto is one of the two."""

import pytest

from models.precision import choose_precision


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_named_precision_is_kept(precision: str) -> None:
    assert choose_precision(precision) == precision


def test_auto_precision_is_one_of_the_two() -> None:
    assert choose_precision("auto") in ("float32", "bfloat16")
