"""Guards the archive: a run's name cannot move its files out of the archive's folder."""

import pytest

from analysis.submission import safe_name


@pytest.mark.parametrize("name", ["../../etc", "..", ".", "/abs/x", "a/../b", "a\\b", "..\\x"])
def test_a_runs_name_becomes_a_folder_inside_its_parent(name: str) -> None:
    safe = safe_name(name)
    assert not {"/", "\\"} & set(safe)
    assert not safe.startswith(".")


def test_ordinary_names_of_runs_stay_as_they_are() -> None:
    assert safe_name("02-some-0.001-adamw") == "02-some-0.001-adamw"
