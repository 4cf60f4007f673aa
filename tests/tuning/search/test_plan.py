"""Guards the plan of a search: what limits it is told in a unit that shows it."""

import pytest

from tuning.search.plan import _duration


@pytest.mark.parametrize(
    ("seconds", "words"), [(14.0, "14 seconds"), (120.0, "2 minutes"), (5400.0, "90 minutes")]
)
def test_a_budget_is_told_in_seconds_or_minutes(seconds: float, words: str) -> None:
    assert _duration(seconds) == words
