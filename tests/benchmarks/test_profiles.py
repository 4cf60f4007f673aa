"""Guards the profiles: every function and every file that they look for exists."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.where_time_goes import _STAGES, _seconds_in
from benchmarks.whole_grid import LOG
from tuning.system.project import ROOT


def file_of(ending: str) -> Path:
    """Return the file of this project, or of an installed package, whose path ends so."""
    if ending.startswith("tuning/"):
        return ROOT / ending
    package, rest = ending.split("/", 1)
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / rest


@pytest.mark.parametrize(("stage", "function", "ending"), _STAGES)
def test_the_function_of_a_stage_exists(stage: str, function: str, ending: str) -> None:
    tree = ast.parse(file_of(ending).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert function in names, stage


def test_every_file_of_the_log_exists() -> None:
    assert all((ROOT / path).is_file() for path in LOG)


def test_seconds_are_those_of_the_function_in_its_file() -> None:
    profile = {("/a/tuning/x.py", "run"): 2.0, ("/a/y.py", "run"): 4.0, ("/a/tuning/x.py", "f"): 8}
    assert _seconds_in(profile, "run", "tuning/x.py") == 2.0
