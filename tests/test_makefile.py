"""Guards the Makefile: clean removes what this program made, and what it runs is there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MADE = (".venv", ".venv-lowest", "results", "report", "site", ".cache", "mlartifacts")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["my project", "o'clock", "a$x b", "-rf ~", "%;#[a]?ü"])
def test_clean_leaves_alone_what_it_did_not_make(tmp_path: Path, name: str) -> None:
    project, neighbours = tmp_path / name, [tmp_path / "thesis.txt", tmp_path / "my" / "file"]
    for path in [*neighbours, project / "own.txt", *(project / made / "file" for made in MADE)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept", encoding="utf-8")
    shutil.copy(ROOT / "Makefile", project)

    ended = make(project, "clean")

    assert ended.returncode == 0, ended.stderr
    assert all(path.read_text(encoding="utf-8") == "kept" for path in neighbours)
    assert sorted(path.name for path in project.iterdir()) == ["Makefile", "own.txt"]


def test_clean_leaves_an_environment_of_another_place_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    assert make(tmp_path, "clean", f"VENV={elsewhere}").returncode == 0
    assert elsewhere.is_dir()


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
