"""Guards what no reader should have to look for: pickles, code from the hub, open ports."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for name in ("analysis", "benchmarks", "measures", "models", "tuning")
    for path in (ROOT / name).rglob("*.py")
)


def calls(path: Path) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield the dotted name of each call in a file, and its arguments by keyword."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg: k.value for k in node.keywords if k.arg}


def is_constant(value: ast.expr | None, wanted: object) -> bool:
    return isinstance(value, ast.Constant) and value.value is wanted


def test_no_pickle_is_loaded_but_with_weights_only_and_no_remote_code_is_run() -> None:
    for path, name, keywords in [(file, *call) for file in FILES for call in calls(file)]:
        bad = ("pickle.load", "pickle.loads", "read_pickle", "joblib.load", "get_pickled_error")
        assert not name.endswith(bad), path
        if name.endswith("torch.load"):
            assert is_constant(keywords.get("weights_only"), True), path
        if "from_pretrained" in name:
            remote = keywords.get("trust_remote_code", ast.Constant(False))
            assert is_constant(remote, False), path
        if name.endswith(("np.load", "numpy.load")):
            assert is_constant(keywords.get("allow_pickle", ast.Constant(False)), False), path


def test_the_page_of_mlflow_is_served_to_this_machine_alone() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if "mlflow ui" in line] == []
    assert [line for line in lines if "tuning.tracking ui" in line and "--host" not in line]
    text = (ROOT / "tuning/tracking/__main__.py").read_text(encoding="utf-8")
    assert '"--host", default="127.0.0.1"' in text


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")[1:]
    assert all("==" in line for line in lines if line)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["tuning.tracking.mlflow_reader", "analysis.load_runs"])
def test_mlflow_sends_no_telemetry(module: str) -> None:
    code = (
        f"import {module}\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\n"
        "print(is_telemetry_disabled())"
    )
    outside = {
        name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ
    }
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=outside
    )
    assert ended.stdout.strip() == "True"
