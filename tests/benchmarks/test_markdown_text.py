"""Guards how pages write numbers: signs of differences, and of those that round to zero."""

import pytest

from benchmarks.markdown_text import points, signed


@pytest.mark.parametrize(
    ("value", "in_points", "as_score"),
    [
        (0.0124, "+1.2", "+.012"),
        (-0.0124, "-1.2", "-.012"),
        (-0.00002, "0.0", ".000"),
        (0.0004, "0.0", ".000"),
        (-0.0006, "-0.1", "-.001"),
        (-1.5, "-150.0", "-1.500"),
    ],
)
def test_a_difference_has_a_sign_unless_it_rounds_to_zero(
    value: float, in_points: str, as_score: str
) -> None:
    assert points(value) == in_points
    assert signed(value) == as_score
