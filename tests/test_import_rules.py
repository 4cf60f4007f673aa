"""Guards the rooms of the house: who imports whom, and which room alone knows a library."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OUTER = ("analysis", "benchmarks", "measures", "models", "tuning")
ENTRIES = {"run_grid", "run_search", "reproduce", "pretrain", "doctor", "cli", "parsers", "worker"}
# A room of tuning/ and what it may import of its neighbours; entries may import all.
ROOMS = {
    "system": set(),
    "config": set(),
    "download": {"system"},
    "data": {"system", "config", "download"},
    "training": {"system", "config", "data"},
    "tracking": {"system", "config", "data"},
    "execution": {"system", "config", "data", "training", "tracking"},
    "search": {"system", "config", "data", "training", "tracking", "execution"},
    "pretraining": {"system", "config", "data", "tracking"},
}
LARGEST_ROOM = 13  # modules, without __init__.py
# What a top-level folder may import of the project beside itself.
FOLDERS = {
    "measures": set(),
    "models": {"measures"},
    "tuning": {"models", "measures"},
    "analysis": {"measures"},
    "benchmarks": {"analysis", "measures", "models", "tuning"},
}
# Libraries that only these may import: files or folders.
LIBRARIES = {
    "mlflow": {
        "tuning/tracking",
        "models/served.py",  # is called by MLflow
        "models/logged_models.py",
        "analysis",
        "benchmarks",
    },
    "ray": {"tuning/execution", "tuning/search/sampling.py", "benchmarks"},
    "optuna": {
        "tuning/search",
        "analysis/importance_tables.py",
        "benchmarks/field_rivals.py",
    },
}
NEVER = {
    "config": {"torch", "transformers", "pandas"},
    "data": {"torch", "transformers"},
    "download": {"torch", "transformers"},
    "training": {"rich"},  # no screen
    "analysis": {"ray", "torch", "transformers"},
}
BY_NAME = {"import_aside", "import_module", "__import__"}  # calls that import


def modules() -> dict[str, Path]:
    """Return the project's modules by their dotted names."""
    paths = sorted(path for folder in OUTER for path in (ROOT / folder).rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


MODULES = modules()
IDS = sorted(MODULES)


def imports_of(path: Path) -> Iterator[str]:
    """Give the dotted name of everything that a file imports, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in whole)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in BY_NAME:
            yield ast.literal_eval(node.args[0])  # what is imported by name is named here


IMPORTS = {name: set(imports_of(path)) for name, path in MODULES.items()}


def room_of(module: str) -> str | None:
    """Return the room of a module of ``tuning``; None for an entry, or outside of it."""
    parts = module.split(".")
    return parts[1] if parts[0] == "tuning" and len(parts) > 1 and parts[1] in ROOMS else None


# A rule is one test for all modules, and names the one that breaks it: a test for each module
# would take longer to collect than to run.
def test_a_module_imports_only_rooms_below_its_own() -> None:
    for name, imported in [(n, imported) for n in IDS for imported in IMPORTS[n]]:
        room = room_of(name)
        if imported.split(".")[0] != "tuning" or room is None:
            continue
        other = room_of(imported)
        assert other is not None, f"{name} imports the entry {imported}"
        assert other == room or other in ROOMS[room], f"{name} imports {imported}"


def test_a_folder_imports_only_folders_below_it() -> None:
    for name in IDS:
        folder = name.split(".")[0]
        imported = {module.split(".")[0] for module in IMPORTS[name]} & set(OUTER)
        assert imported <= FOLDERS[folder] | {folder}, name


def test_a_library_is_imported_by_its_room_alone() -> None:
    for name in IDS:
        path = MODULES[name].relative_to(ROOT)
        places = {str(path), *map(str, path.parents)}
        imported = {module.split(".")[0] for module in IMPORTS[name]}
        for library, allowed in LIBRARIES.items():
            assert library not in imported or allowed & places, f"{path} imports {library}"
        assert not imported & NEVER.get(room_of(name) or path.parts[0], set()), name


def test_no_module_of_tuning_lies_outside_a_room() -> None:
    outside = {name.removeprefix("tuning.") for name in IDS if name.startswith("tuning.")}
    outside = {name for name in outside if name.split(".")[0] not in ROOMS}
    assert outside == ENTRIES
    assert {path.name for path in (ROOT / "tuning").iterdir() if path.is_dir()} - {
        "__pycache__"
    } == set(ROOMS)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_is_small_and_opens_with_one_sentence(room: str) -> None:
    folder = ROOT / "tuning" / room
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert 4 <= len(names) <= LARGEST_ROOM
    assert not [path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]
    (sentence,) = ast.parse((folder / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(sentence, ast.Expr)  # no re-exports: they would load torch in a plan


def test_every_folder_with_code_is_known_and_no_module_lies_beside_them() -> None:
    found = {path.parts[len(ROOT.parts)] for path in ROOT.glob("[a-z]*/**/*.py")}
    made = {"site", "results", "report", "mlartifacts"}  # by the commands
    assert found - made == {*OUTER, "docs", "embedded", "tests"}
    assert not list(ROOT.glob("*.py"))


def test_nothing_imports_the_tests_and_imports_keep_their_names() -> None:
    for name in IDS:
        assert not {module for module in IMPORTS[name] if module.split(".")[0] == "tests"}, name
        assert "import_aside as" not in MODULES[name].read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", ["tuning", "models", "measures", "benchmarks"])
def test_a_folder_re_exports_nothing(name: str) -> None:
    (sentence,) = ast.parse(MODULES[name].read_text(encoding="utf-8")).body
    assert isinstance(sentence, ast.Expr)


def test_no_module_imports_itself_by_way_of_others() -> None:
    states: dict[str, str] = {}

    def visit(name: str, way: list[str]) -> None:
        assert states.get(name) != "open", f"a circle: {' -> '.join([*way, name])}"
        if name in states:
            return
        states[name] = "open"
        for imported in sorted(IMPORTS[name] & set(MODULES)):
            visit(imported, [*way, name])
        states[name] = "done"

    for name in IDS:
        visit(name, [])


def test_no_file_touches_the_import_path() -> None:
    touching = [p for p in MODULES.values() if "sys.path" in p.read_text(encoding="utf-8")]
    assert not touching


def test_no_folder_or_file_bears_a_librarys_name() -> None:
    for last in {name.split(".")[-1] for name in IDS} - {*OUTER, "__main__"}:
        found = find_spec(last)
        assert found is None or found.origin is None, last  # a folder such as report/ is none


def test_every_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after ``code``."""
    code += "\nprint(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", f"import sys, {code}"]
    # MLflow names its store to child processes, as that of a test before
    environment = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return set(run.stdout.split())


def test_a_plan_needs_no_heavy_import(tmp_path: Path) -> None:
    words = ["--dry-run", "--data", "embedded", "--encoder", "embedded", "--output", str(tmp_path)]
    words += ["--tracking-uri", f"sqlite:///{tmp_path}/log.db"]
    loaded = loaded_by(
        "tuning.run_grid, tuning.reproduce, tuning.pretrain\n"
        f"sys.argv = {['run_grid.py', *words]}\nassert tuning.run_grid.main() == 0"
    )
    assert {"numpy", "pydantic", "rich"} <= loaded
    heavy = {"torch", "ray", "mlflow", "transformers", "pandas", "optuna", "sqlalchemy", "pyarrow"}
    assert not loaded & {*heavy, "scipy", "sklearn", "huggingface_hub"}


def test_help_needs_none_of_what_a_plan_needs() -> None:
    loaded = loaded_by("tuning.run_grid, tuning.run_search, tuning.pretrain, tuning.parsers")
    assert "argparse" in loaded
    assert not loaded & {"numpy", "pydantic", "rich", "yaml", "http", "tokenizers", "sqlalchemy"}


@pytest.mark.slow
def test_the_report_loads_neither_torch_nor_ray() -> None:
    loaded = loaded_by("analysis.report, analysis.submission, analysis.search_figures")
    assert not loaded & {"torch", "ray", "transformers", "tuning", "models"}


_STEP = """torch
import tuning.worker
from models.optimizers import SGD
optimizer = SGD([torch.nn.Parameter(torch.zeros(3))], fused=True)
optimizer.zero_grad(), optimizer.step(), optimizer.load_state_dict(optimizer.state_dict())
print(*{"torch._dynamo"} & set(sys.modules))
"""


@pytest.mark.slow  # a worker's imports take seconds
def test_a_worker_imports_no_more_than_its_training_needs() -> None:
    loaded = loaded_by(_STEP)
    others = {"matplotlib", "mlflow", "optuna", "scipy", "sklearn", "sqlalchemy", "transformers"}
    assert "torch" in loaded
    assert not loaded & {*others, "torch._dynamo"}


_BEFORE_TRAINING = """tuning.execution.grid
from ray.air._internal import usage
from ray.tune import Callback
tuning.execution.ray_session.set_ray_defaults(None)
tuning.execution.tuner.leave_callbacks_uncounted()
usage.tag_callbacks([Callback()])
"""


@pytest.mark.slow  # as above
def test_training_begins_without_mlflow() -> None:
    loaded = loaded_by(_BEFORE_TRAINING)
    assert {"ray", "torch"} <= loaded
    assert not loaded & {"mlflow", "optuna", "sklearn", "transformers"}
