"""Guards the archive: what a run is called does not decide where its files lie."""

import pytest

from analysis.submission import safe_name


@pytest.mark.parametrize("name", ["../../etc", "..", ".", "/abs/x", "a/../b", "a\\b", "..\\x"])
def test_the_name_of_a_run_is_that_of_a_folder_in_its_parent(name: str) -> None:
    safe = safe_name(name)
    assert not {"/", "\\"} & set(safe)
    assert not safe.startswith(".")


def test_the_names_that_runs_have_stay() -> None:
    assert safe_name("02-some-0.001-adamw") == "02-some-0.001-adamw"
