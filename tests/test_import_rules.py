"""Guards the arrows between the folders, and keeps heavy imports out of plans and help."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for name in ("analysis", "measures", "models", "tuning")
    for path in (ROOT / name).rglob("*.py")
)
RAY_FILES = {
    "trial.py",
    "launch.py",
    "nodes.py",
    "workshop.py",
    "cluster.py",
    "callbacks.py",
    "search_trial.py",
    "search_launch.py",
    "under_way.py",
    "watchdog.py",
}
# it is written, it is read, a folder in its format is made, one is served
MLFLOW_FILES = {"tracking.py", "logged.py", "served_model.py", "served.py"}


def imports_of(path: Path) -> set[str]:
    """Return the first names of all imported modules, wherever in the file they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def forbidden_in(path: Path) -> set[str]:
    folder = path.relative_to(ROOT).parts[0]
    if folder == "analysis":
        return {"tuning", "models", "ray", "torch", "transformers"}
    if folder == "measures":
        return {"tuning", "models", "analysis", "ray", "torch", "transformers", "mlflow", "optuna"}
    mlflow = set() if path.name in MLFLOW_FILES else {"mlflow"}
    if folder == "models":
        return {"tuning", "analysis", "ray", "optuna"} | mlflow
    ray = set() if path.name in RAY_FILES else {"ray"}
    return {"analysis"} | ray | mlflow


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_place_allows(path: Path) -> None:
    assert not imports_of(path) & forbidden_in(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_touches_the_import_path_or_bears_a_librarys_name(path: Path) -> None:
    assert "sys.path" not in path.read_text(encoding="utf-8")
    assert path.name == "__init__.py" or find_spec(path.stem) is None


def test_a_plan_needs_no_heavy_import() -> None:
    code = (
        "import sys, tuning.run_grid, tuning.reproduce, tuning.pretrain\n"
        "print({'torch', 'ray', 'mlflow', 'transformers', 'pandas'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "set()"


def test_the_report_loads_neither_torch_nor_ray() -> None:
    code = (
        "import sys, analysis.report, analysis.submission, analysis.search_figures\n"
        "print({'torch', 'ray', 'transformers', 'tuning', 'models'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "set()"
