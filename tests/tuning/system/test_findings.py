"""Guards the checks of versions and folders: faults have a way out, and secrets stay hidden."""

from pathlib import Path

import pytest

from tuning.system import findings
from tuning.system.findings import (
    check_environment,
    check_folder,
    check_hardware,
    check_versions,
    hide_secrets,
)


def test_versions_of_what_is_installed_are_found() -> None:
    commit, python, packages = check_versions()
    assert len(commit.text.rstrip("+")) == 40 or commit.text == "unknown"
    assert python.text.startswith("3.")
    assert "torch 2." in packages.text
    assert not packages.stops


def test_a_missing_package_stops_a_grid_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "PACKAGES", ("numpy", "no-such-package"))
    packages = check_versions()[-1]
    assert packages.stops
    assert packages.way_out == "missing: no-such-package; pip install -e . installs them"


def test_processor_and_memory_are_found() -> None:
    found = {finding.name: finding for finding in check_hardware()}
    assert found["processor"].text.endswith(" cores")
    assert " GB, " in found["memory"].text


def test_a_folder_that_would_be_made_is_as_writable_as_the_one_above_it(tmp_path: Path) -> None:
    found = check_folder("results", tmp_path / "a/b", "use another", needed=True)
    assert f"{tmp_path / 'a/b'}: writable, " in found.text
    assert not found.stops
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("needed", [True, False])
def test_a_folder_that_cannot_be_written_is_a_fault_only_where_it_is_needed(
    tmp_path: Path, needed: bool
) -> None:
    file = tmp_path / "file"
    file.touch()
    found = check_folder("results", file / "below", "use --output FOLDER", needed=needed)
    assert f"{file / 'below'}: cannot be written: Not a directory" in found.text
    assert (found.way_out, found.stops) == ("use --output FOLDER", needed)


@pytest.mark.parametrize(("least", "stops"), [(0.0, False), (1e30, True)])
def test_a_disk_with_little_space_is_told_and_one_with_none_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: float, stops: bool
) -> None:
    monkeypatch.setattr(findings, "_FEW_BYTES", 1e30)
    monkeypatch.setattr(findings, "_LEAST_BYTES", least)
    found = check_folder("results", tmp_path, "use --output FOLDER", needed=True)
    assert found.way_out == "free some space, or use --output FOLDER"
    assert found.stops == stops


def test_secrets_of_the_environment_are_named_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws_abc")
    monkeypatch.setenv("PARADE_URL", "https://host/files?token=url_abc")
    monkeypatch.setenv("HF_ENDPOINT", "https://user_abc@mirror")
    text = hide_secrets(check_environment().text)
    assert "HF_TOKEN is set" in text
    assert "AWS_SECRET_ACCESS_KEY is set" in text
    assert "PARADE_URL=https://host/files?token=***" in text
    assert "HF_ENDPOINT=https://***@mirror" in text
    assert "_abc" not in text


def test_the_home_folder_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert hide_secrets("/home/somebody/x: writable") == "~/x: writable"
    assert hide_secrets("/home/somebody2/x") == "/home/somebody2/x"
    monkeypatch.setenv("HOME", "/home/somebody/")
    assert hide_secrets("/home/somebody/x") == "~/x"
    monkeypatch.delenv("HOME")
    assert hide_secrets(f"{Path.home()}/x") == "~/x"
    monkeypatch.setenv("HOME", "/")
    assert hide_secrets("/a/b") == "/a/b"
