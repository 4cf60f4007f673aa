"""Guards the page of the doctor: every finding with its way out, the exit code, no secrets."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuning import doctor
from tuning.data import parade
from tuning.data.sources import DEFAULT_ENCODER, DataLocations
from tuning.doctor import (
    check_chosen_store,
    check_data,
    check_encoder,
    check_ray,
    check_speed,
    main,
    tried,
)
from tuning.download.packaged_encoder import PackageError
from tuning.system.findings import Finding
from tuning.system.machine import RATES_FILE, recall_rates
from tuning.system.project import EMBEDDED, ROOT


def page(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> int:
    """Return the exit code of the command if it finds these."""
    monkeypatch.setattr(doctor, "examine", lambda output, uri, anew: iter(findings))
    monkeypatch.setattr(sys, "argv", ["doctor"])
    return main()


def test_a_machine_without_a_fault_ends_with_the_command_to_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Finding(name="data", text="auto downloads parade", way_out="or set PARADE_DIR")
    assert page(monkeypatch, found) == 0
    assert capsys.readouterr().out == (
        "data         auto downloads parade\n"
        "             hint: or set PARADE_DIR\n"
        "\nA grid can run here: python tuning/run_grid.py\n"
    )


def test_a_fault_ends_with_exit_code_1_and_stands_in_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Finding(name="store", text="http://a:b@h: refused", way_out="mend it", stops=True)
    assert page(monkeypatch, found) == 1
    assert capsys.readouterr().out == (
        "store        http://***@h: refused\n"
        "             FAULT: mend it\n"
        "\nA grid cannot run here: 1 of the lines above say FAULT, and what to do.\n"
    )


def test_ctrl_c_ends_the_page_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> Iterator[Finding]:
        yield Finding(name="commit", text="unknown")
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", lambda output, uri, anew: interrupted())
    monkeypatch.setattr(sys, "argv", ["doctor"])
    assert main() == 130


@pytest.mark.parametrize(
    "error",
    [PermissionError(13, "Permission denied", "/models"), ValueError("http://me:secret@h: no")],
)
def test_any_error_of_a_check_is_a_finding(error: Exception) -> None:
    def fail() -> Finding:
        raise error

    found = tried("encoder", fail)
    assert found.stops
    assert found.way_out
    assert f"{type(error).__name__}: " in found.text
    assert "secret" not in found.text


def test_a_user_without_a_home_folder_gets_a_fault_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    *_, found = doctor.examine(tmp_path, None, anew=False)
    assert found.stops
    assert "no home folder; set XDG_CACHE_HOME" in found.way_out


def test_a_store_of_the_environment_that_keeps_nothing_is_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite://")
    found = check_chosen_store(None)
    assert found.stops
    assert found.text.startswith("MLFLOW_TRACKING_URI: sqlite://: names no file")


def test_a_session_that_does_not_start_in_time_is_a_fault_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "_TRY", "import time; time.sleep(60)")
    found = check_ray(0.2)
    assert found.text == "has not started within 0.2 seconds"
    assert "ray stop --force" in found.way_out
    assert found.stops


def test_a_session_that_fails_is_a_fault_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_TRY", "raise OSError(98, 'Address already in use')")
    found = check_ray()
    assert found.text == "does not start: OSError: [Errno 98] Address already in use"
    assert found.stops


def test_the_speed_is_remembered_and_measured_anew_on_request(tmp_path: Path) -> None:
    first = check_speed(tmp_path, anew=False)
    before = recall_rates(tmp_path)
    assert first.text == check_speed(tmp_path, anew=False).text
    assert first.text.endswith(f"remembered in {tmp_path / RATES_FILE}")
    check_speed(tmp_path, anew=True)
    assert recall_rates(tmp_path) != before


def test_a_user_without_a_home_folder_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # it raises a KeyError too
    *_, last = doctor.examine(tmp_path, None, anew=False)
    assert (last.stops, "set XDG_CACHE_HOME" in last.way_out) == (True, True)


def put_parade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write three empty files, whose checksums replace those of PARADE."""
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    monkeypatch.setattr(parade, "SHA256", dict.fromkeys(parade.SHA256, nothing))
    monkeypatch.setattr(parade.find_altered, "__defaults__", (tuple(parade.SHA256),))
    folder.mkdir(parents=True)
    for name in parade.SHA256:
        (folder / name).touch()


def test_data_that_is_nowhere_would_be_downloaded_and_is_not(tmp_path: Path) -> None:
    found = check_data(DataLocations(cache=tmp_path, parade_url="http://127.0.0.1:1"))
    assert found.text.startswith("auto downloads parade, which the cache lacks; without a network")
    assert "set PARADE_DIR" in found.way_out
    assert not found.stops
    assert not list(tmp_path.iterdir())


def test_data_in_the_cache_is_found_unless_it_was_altered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parade" / parade.COMMIT
    put_parade(folder, monkeypatch)
    locations = DataLocations(cache=tmp_path)
    assert check_data(locations).text == f"auto is parade, from the cache ({folder})"
    (folder / "PARADE_test.txt").write_text("altered")
    assert check_data(locations).text.startswith("auto downloads parade")


def test_a_folder_that_the_environment_names_comes_first_and_must_be_there(tmp_path: Path) -> None:
    pairs = EMBEDDED / "pairs"
    found = check_data(DataLocations(cache=tmp_path / "cache", parade_folder=pairs))
    assert found.text == f"auto is pairs, from PARADE_DIR ({pairs})"
    (tmp_path / "PARADE_train.txt").touch()
    broken = check_data(DataLocations(cache=tmp_path / "cache", parade_folder=tmp_path))
    assert broken.stops
    assert "PARADE_" in broken.text
    gone = check_data(DataLocations(cache=tmp_path, parade_folder=tmp_path / "gone"))
    assert gone.stops
    assert gone.text == f"PARADE_DIR: {tmp_path / 'gone'}: no such folder"
    assert gone.way_out


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub's cache be empty."""
    monkeypatch.setattr(doctor, "find_cached_encoder", lambda name: None)


def test_an_encoder_in_the_hubs_cache_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "find_cached_encoder", lambda name: tmp_path)
    assert check_encoder().text == f"auto is {DEFAULT_ENCODER}, from the hub's cache"


@pytest.mark.usefixtures("no_hub")
def test_the_package_is_next() -> None:
    found = check_encoder()
    assert found.text.startswith(f"auto asks the hub for {DEFAULT_ENCODER}, which the cache lacks")
    assert "without it auto is minilm" in found.text
    assert not found.way_out


@pytest.mark.usefixtures("no_hub")
def test_a_package_that_was_altered_is_passed_over_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def altered() -> Path:
        raise PackageError("a file of the package was altered: pip install --force-reinstall")

    monkeypatch.setattr(doctor, "find_packaged_encoder", altered)
    found = check_encoder()
    assert "without it auto is embedded" in found.text
    assert found.way_out.startswith("minilm: a file of the package was altered: pip install")
    assert not found.stops


@pytest.mark.slow
def test_the_page_of_this_machine_is_whole_and_holds_no_secret(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()  # no folder: nothing can be kept there
    secrets = {
        "HF_TOKEN": "hf_abc",
        "AWS_SECRET_ACCESS_KEY": "aws_abc",
        "PARADE_URL": "http://me:url_abc@127.0.0.1:1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "tuning.doctor", "--output", str(tmp_path / "results")]
    command += ["--tracking-uri", "http://me:store_abc@127.0.0.1:1"]
    ended = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **secrets}, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    names = [line.split()[0] for line in lines if line and not line.startswith((" ", "A grid"))]
    wanted = "commit Python packages project processor memory GPU speed results cache encoder"
    assert set(names) >= {*wanted.split(), "data", "environment", "Ray", "store"}
    assert f"{tmp_path / 'cache'}/paraphrase-tuner: cannot be written" in ended.stdout
    assert "hint: set XDG_CACHE_HOME=FOLDER" in ended.stdout
    assert "Ray          starts and runs a task in" in ended.stdout
    assert "store        http://***@127.0.0.1:1: does not answer" in ended.stdout
    assert "_abc" not in ended.stdout + ended.stderr
    assert not list(tmp_path.glob("results*"))
