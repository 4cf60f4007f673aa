"""Guards the plan of a search: axes and budgets are printed in words and fitting units."""

import pytest

from tuning.config.search_space import Axis
from tuning.search.plan import _duration, describe_axis


@pytest.mark.parametrize(
    ("seconds", "words"), [(14.0, "14 seconds"), (120.0, "2 minutes"), (5400.0, "90 minutes")]
)
def test_a_budget_is_printed_in_seconds_or_minutes(seconds: float, words: str) -> None:
    assert _duration(seconds) == words


def test_an_axis_is_described_with_scale_and_condition() -> None:
    content = {"low": 1e-4, "high": 0.1, "log": True, "when": {"freezing": ["some", "none"]}}
    words = "0.0001 to 0.1, on a logarithmic scale; for freezing some or none"
    assert describe_axis(Axis.model_validate(content)) == words
