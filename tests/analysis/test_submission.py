"""Guards the archive: it can be installed, and a run's name cannot move its files out of it."""

import tomllib
from pathlib import Path

import pytest

from analysis.submission import CODE, safe_name

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["../../etc", "..", ".", "/abs/x", "a/../b", "a\\b", "..\\x"])
def test_a_runs_name_becomes_a_folder_inside_its_parent(name: str) -> None:
    safe = safe_name(name)
    assert not {"/", "\\"} & set(safe)
    assert not safe.startswith(".")


def test_ordinary_names_of_runs_stay_as_they_are() -> None:
    assert safe_name("02-some-0.001-adamw") == "02-some-0.001-adamw"


def test_the_files_that_an_install_reads_are_handed_in() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"constraints.txt", project["readme"], *project["license-files"]} <= set(CODE)
    assert all((ROOT / name).exists() for name in CODE)
