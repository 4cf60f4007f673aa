"""Guards the archive: it can be installed, and a run's name cannot move its files out of it."""

import tomllib
from pathlib import Path

import pytest

from analysis.load_runs import Store
from analysis.stores import StoreError
from analysis.submission import CODE, pack, safe_name

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


@pytest.mark.parametrize(("members", "got"), [([], "none"), (["Ada", "a/b"], "'a/b'")])
def test_wrong_names_of_members_are_refused(
    empty_store: Path, tmp_path: Path, members: list[str], got: str
) -> None:
    store = Store(f"sqlite:///{empty_store}")
    with pytest.raises(StoreError, match=rf"MEMBERS: must be names of letters, .*, got {got}"):
        pack(store, ["grid"], members, tmp_path, tmp_path / "Report.pdf")


def test_a_missing_report_and_a_missing_trial_are_reported(
    empty_store: Path, tmp_path: Path
) -> None:
    store, report = Store(f"sqlite:///{empty_store}"), tmp_path / "Report.pdf"
    with pytest.raises(StoreError, match=r"Report\.pdf: does not exist; make report writes it"):
        pack(store, ["grid"], ["Ada"], tmp_path, report)
    report.write_bytes(b"%PDF")
    with pytest.raises(StoreError, match=r"must have a finished trial of experiment grid"):
        pack(store, ["grid"], ["Ada"], tmp_path, report)
