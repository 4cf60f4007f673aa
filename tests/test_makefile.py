"""Guards the Makefile: it runs in folders of any name, and clean removes what it made alone."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MADE = (".venv", ".venv-lowest", "mutants", "results", "report", "site", ".cache", "mlartifacts")
NAMES = ["my project", "o'clock", "a$x b", "-rf ~", "%;#[a]?ü", 'say "hi" & go']
PROGRAMS = (
    ".venv/bin/python",
    ".venv-lowest/bin/python",
    "tests/programs/install_debian_packages.sh",
)


def make(folder: Path, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # of the make that runs these tests
    env = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", *arguments]
    return subprocess.run(
        command, cwd=folder, input=answer, capture_output=True, text=True, env=env
    )


@pytest.mark.parametrize("name", NAMES)
def test_clean_leaves_alone_what_it_did_not_make(tmp_path: Path, name: str) -> None:
    project, neighbours = tmp_path / name, [tmp_path / "thesis.txt", tmp_path / "my" / "file"]
    for path in [*neighbours, project / "own.txt", *(project / made / "file" for made in MADE)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept", encoding="utf-8")
    shutil.copy(ROOT / "Makefile", project)

    ended = make(project, "clean", answer="yes\n")

    assert ended.returncode == 0, ended.stderr
    assert all(path.read_text(encoding="utf-8") == "kept" for path in neighbours)
    assert sorted(path.name for path in project.iterdir()) == ["Makefile", "own.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_every_target_runs_in_its_own_folder_whatever_that_is_called(
    tmp_path: Path, name: str
) -> None:
    project, log = tmp_path / name, tmp_path / "log"
    for program in PROGRAMS:  # they say where they are, because installing takes minutes
        (project / program).parent.mkdir(parents=True, exist_ok=True)
        (project / program).write_text("#!/bin/sh\npwd >> ../log\n", encoding="utf-8")
        (project / program).chmod(0o755)
    for file in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / file, project)
    targets = re.findall(r"^([a-z]+):", (project / "Makefile").read_text("utf-8"), re.MULTILINE)

    ended = make(project, *(target for target in targets if target != "clean"))

    assert ended.returncode == 0, ended.stderr
    assert {"grid", "setup", "test", "lowest", "programs"} <= set(targets)
    assert set(log.read_text(encoding="utf-8").splitlines()) == {str(project)}
    assert not [path for path in tmp_path.iterdir() if path not in (project, log)]


def test_clean_leaves_an_environment_of_another_place_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    assert make(tmp_path, "clean", f"VENV={elsewhere}", "YES=1").returncode == 0
    assert elsewhere.is_dir()


@pytest.mark.parametrize("answer", ["", "no\n", "\n"])
def test_clean_says_what_it_removes_and_asks(tmp_path: Path, answer: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "results").mkdir()
    ended = make(tmp_path, "clean", answer=answer)
    assert ended.returncode == 2
    assert ended.stdout.startswith("make clean removes\nresults\nType yes to go on: ")
    assert "nothing was removed; make clean YES=1 does not ask" in ended.stdout
    assert (tmp_path / "results").is_dir()
    assert make(tmp_path, "clean", "YES=1").returncode == 0
    assert not (tmp_path / "results").exists()
    assert make(tmp_path, "clean").returncode == 0  # asks nothing where nothing is


def test_an_environment_with_a_blank_in_its_name_is_refused(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    ended = make(tmp_path, "setup", "VENV=my env")
    assert ended.returncode == 2
    assert 'VENV: must be a name without blanks, got "my env"' in ended.stderr


def test_the_makefile_is_refused_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    ended = make(tmp_path, "-f", str(ROOT / "Makefile"), "clean")
    assert ended.returncode == 2
    assert "works in its own folder alone: cd there, or use make -C FOLDER" in ended.stderr
    assert (tmp_path / "results").is_dir()


def test_every_file_that_a_target_runs_exists() -> None:
    recipes = re.findall(r"^\t.*", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    files = re.findall(r"[\w./]+\.(?:py|sh|yaml)\b", "\n".join(recipes))
    assert {"tuning/run_grid.py", "tests/programs/install_debian_packages.sh"} <= set(files)
    assert all((ROOT / name).is_file() for name in files)
