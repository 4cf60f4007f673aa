"""Guards the limits that the report states: what had test in view is told of that data alone."""

import pytest

from analysis.assumptions import assumptions


@pytest.mark.parametrize(("data", "told"), [("parade", 1), ("/data/PARADE-2020", 1), ("shop", 0)])
def test_what_was_developed_with_test_in_view_is_told_of_parade_alone(
    data: str, told: int
) -> None:
    sentences = assumptions(data)
    assert sum("test split in view" in sentence for sentence in sentences) == told
    assert len(sentences) == 4 + told
