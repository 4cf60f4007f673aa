"""Guards the choice of a launch: which is started, resumed or refused, and in which precision."""

import io
import json
import re
import shutil
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import models.precision
import models.speed
from models.number_formats import Precision, Rates
from tests.tuning.tracking.recording import open_log
from tuning.cli import launch_options
from tuning.parsers import build_parser
from tuning.system.machine import RATES_FILE, machine_key
from tuning.system.project import ROOT
from tuning.tracking.journal import JOURNAL, Journal, JournalError
from tuning.tracking.launch_folder import LaunchError, LaunchOptions, lock_launch, make_settings
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.resume import (
    choose_launch,
    find_interrupted,
    launch_precision,
    leave_interrupted,
    refuse_changes,
    resume_command,
    resume_hint,
)


def asked(output: Path, *words: str) -> LaunchOptions:
    args = build_parser("x", "grid.yaml").parse_args(["--output", str(output), *words])
    return launch_options(args)


def interrupted(output: Path, name: str, experiment: str = "x") -> Path:
    open_log(output / name, "sqlite:///log.db", experiment)
    return output / name


def test_without_an_interrupted_launch_a_new_one_begins(tmp_path: Path) -> None:
    assert choose_launch(asked(tmp_path / "absent"), "x") is None
    other = interrupted(tmp_path, "a", experiment="other")
    ended = interrupted(tmp_path, "b")
    LaunchLog(Journal(ended)).end_parent(failed=0, summary={})
    assert choose_launch(asked(tmp_path), "x") is None
    assert choose_launch(asked(tmp_path, "--resume"), "other") == other


def test_the_last_interrupted_launch_is_resumed_or_the_named_one(tmp_path: Path) -> None:
    first = interrupted(tmp_path, "z")
    time.sleep(0.002)  # a journal's times are in milliseconds
    second = interrupted(tmp_path, "a")
    assert find_interrupted(tmp_path, "x") == [first, second]
    assert choose_launch(asked(tmp_path, "--resume"), "x") == second
    assert choose_launch(asked(tmp_path, "--launch", "z"), "x") == first


def test_starting_over_unasked_is_refused_with_both_choices(tmp_path: Path) -> None:
    interrupted(tmp_path, "a")
    with pytest.raises(LaunchError, match=r"'x' was interrupted \(a\): --resume .* --overwrite"):
        choose_launch(asked(tmp_path), "x")
    over = asked(tmp_path, "--overwrite")
    assert choose_launch(over, "x") is None
    assert find_interrupted(tmp_path, "x")  # nothing is written before the plan is made
    leave_interrupted(over, "x")
    assert choose_launch(asked(tmp_path), "x") is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resume"], "--resume: .* has no interrupted launch of 'y'"),
        (["--launch", "b"], "--launch: .* has no launch 'b'; interrupted launches: none"),
        (["--launch", "../a"], r"has no launch '../a'"),
        (["--launch", "ended"], "ended has ended; there is nothing to resume"),
        (["--launch", "a"], "a is a launch of 'x', not of 'y': name the YAML file"),
    ],
)
def test_a_launch_that_cannot_be_resumed_is_refused(
    tmp_path: Path, words: list[str], message: str
) -> None:
    interrupted(tmp_path, "a")
    LaunchLog(Journal(interrupted(tmp_path, "ended"))).end_parent(failed=0, summary={})
    with pytest.raises(LaunchError, match=message):
        choose_launch(asked(tmp_path, *words), "y")


def test_a_running_launch_is_not_resumed_and_is_locked(tmp_path: Path) -> None:
    folder = interrupted(tmp_path, "a")
    with lock_launch(folder):
        assert choose_launch(asked(tmp_path), "x") is None
        with (
            pytest.raises(LaunchError, match=f"{folder}: another program is using this folder"),
            lock_launch(folder),
        ):
            pass
    assert find_interrupted(tmp_path, "x") == [folder]


def test_a_damaged_journal_is_an_error_only_if_it_is_named(tmp_path: Path) -> None:
    path = interrupted(tmp_path, "a") / JOURNAL
    path.write_bytes(re.sub(rb'.*"n":0,.*\n', b"", path.read_bytes()))
    assert choose_launch(asked(tmp_path), "x") is None
    with pytest.raises(JournalError, match="entry 0 is damaged"):
        choose_launch(asked(tmp_path, "--launch", "a"), "x")


def test_launches_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = {make_settings(asked(tmp_path), "x", None).folder for _ in range(5)}
    assert len(folders) == 5
    assert all(folder.is_dir() for folder in folders)
    resumed = make_settings(asked(tmp_path), "x", tmp_path / "a")
    assert (resumed.folder, resumed.resumed) == (tmp_path / "a", True)


def test_the_command_to_resume_has_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run_grid.py", "--overwrite", "--tracking-uri", "postgresql://me:secret@h/x"]
    monkeypatch.setattr(sys, "argv", words)
    assert "nothing to resume" in resume_hint(asked(tmp_path), "x")
    interrupted(tmp_path, "a")
    hint = resume_hint(asked(tmp_path), "x")
    assert hint.endswith("python run_grid.py --tracking-uri 'postgresql://me:***@h/x' --resume")


@pytest.mark.parametrize("words", [["--launch", "a"], ["--launch=a"]])
def test_a_command_that_names_its_launch_is_repeated_as_it_is(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run_grid.py", *words])
    command = resume_command()
    assert command == " ".join(["python run_grid.py", *words])
    build_parser("x", "grid.yaml").parse_args(command.split()[2:])


def test_a_launch_is_not_resumed_with_other_values(tmp_path: Path) -> None:
    log = LaunchLog(Journal(tmp_path / "a"))
    refuse_changes(log, {"data": "new"}, "start another")
    identity = {"data": "one", "experiment": {"trial": {"seed": 0, "epochs": 3}}}
    log.open("x", tmp_path, "sqlite:///log.db", identity)
    refuse_changes(log, identity, "start another")
    wanted = {"data": "two", "experiment": {"trial": {"seed": 1, "epochs": 3}}}
    with pytest.raises(LaunchError) as caught:
        refuse_changes(log, wanted, "start another")
    assert str(caught.value) == (
        "a: was started with other values: data was one, is now two; experiment.trial.seed was 0, "
        "is now 1; resume it with the values it was started with, or start another"
    )


FLOAT32 = {"float32": 160e9, "bfloat16": 82e9}
BFLOAT16 = {"float32": 90e9, "bfloat16": 203e9}
MIXED = Precision("float32", "bfloat16")
BOTH_BFLOAT16 = Precision("bfloat16", "bfloat16")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have no GPU, and be faster in float32 only for frozen layers."""
    rates = Rates(frozen=FLOAT32, trained=BFLOAT16)
    monkeypatch.setattr(models.speed, "measure_rates", lambda: rates)
    monkeypatch.setattr(models.precision, "gpu_precision", lambda device: None)


def remember(folder: Path, frozen: dict[str, float], trained: dict[str, float]) -> None:
    folder.mkdir(exist_ok=True)
    content = {machine_key(): {"frozen": frozen, "trained": trained}}
    (folder / RATES_FILE).write_text(json.dumps(content), encoding="utf-8")


def begin(folder: Path, precision: str) -> LaunchLog:
    """Return the log of a launch that was started with a precision."""
    log = LaunchLog(Journal(folder))
    log.open("x", folder, "sqlite://", {"precision": precision})
    return log


def choose(wanted: str, log: LaunchLog, cache: Path) -> tuple[Precision, str]:
    """Return the precision of a launch, and what the terminal shows."""
    file = io.StringIO()
    return launch_precision(wanted, log, cache, Console(file=file, width=300)), file.getvalue()


@pytest.mark.usefixtures("machine")
def test_the_first_launch_shows_what_it_measured_and_the_next_remembers_it(
    tmp_path: Path,
) -> None:
    cache = tmp_path / "cache"
    log = LaunchLog(Journal(tmp_path / "launch"))
    assert choose("auto", log, cache) == (
        MIXED,
        "Precision: float32 for frozen layers (measured: 160 GFLOP/s; bfloat16 82), bfloat16 "
        "for trained ones (measured: 203 GFLOP/s; float32 90 on a core)\n",
    )
    assert choose("auto", log, cache) == (MIXED, "")
    assert choose("float32", log, cache)[1] == ""


@pytest.mark.usefixtures("machine")
def test_a_precision_that_is_not_remembered_is_shown_too(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()  # no folder: nothing can be kept there
    log = LaunchLog(Journal(tmp_path / "launch"))
    shown = (MIXED, f"Precision: {MIXED}\n")
    assert choose("auto", log, tmp_path / "cache") == shown


@pytest.mark.usefixtures("machine")
def test_a_gpus_precision_is_shown_where_the_plan_told_that_of_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path / "cache", FLOAT32, FLOAT32)
    monkeypatch.setattr("models.precision.gpu_precision", lambda device: BOTH_BFLOAT16)
    log = LaunchLog(Journal(tmp_path / "launch"))
    assert choose("auto", log, tmp_path / "cache")[1] == "Precision: bfloat16\n"


@pytest.mark.parametrize("text", ["bfloat16", "float32", "bfloat16 frozen, float32 trained"])
def test_a_resumed_launch_keeps_its_precision_on_a_machine_that_knows_nothing(
    tmp_path: Path, text: str
) -> None:
    cache = tmp_path / "cache"
    kept, shown = choose("auto", begin(tmp_path / "launch", text), cache)
    assert (str(kept), shown) == (text, "")
    assert not cache.exists()


def test_a_resumed_launch_says_that_this_machine_would_choose_otherwise(tmp_path: Path) -> None:
    remember(tmp_path / "cache", FLOAT32, FLOAT32)
    kept, shown = choose("auto", begin(tmp_path / "launch", "bfloat16"), tmp_path / "cache")
    assert str(kept) == "bfloat16"
    assert shown == (
        "Notice: the launch keeps the precision that it was started with, bfloat16; this machine "
        "would choose float32\n"
    )


def test_a_named_precision_is_taken_also_on_resuming_so_that_a_change_is_refused(
    tmp_path: Path,
) -> None:
    log = begin(tmp_path / "launch", "bfloat16")
    assert choose("float32", log, tmp_path)[0] == Precision("float32", "float32")


def test_a_launch_of_an_earlier_version_keeps_its_precision(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/earlier/journal.jsonl", tmp_path)
    log = LaunchLog(Journal(tmp_path))
    begun_with = log.journal.entries[0]["identity"]["precision"]
    remember(tmp_path / "cache", FLOAT32, BFLOAT16)
    kept, shown = choose("auto", log, tmp_path / "cache")
    assert str(kept) == begun_with
    assert kept.frozen == kept.trained
    assert "keeps the precision" in shown


def test_an_output_folder_that_cannot_be_written_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = r"--output: .*/file/out: cannot be written: Not a directory; name another folder"
    with pytest.raises(LaunchError, match=message):
        make_settings(asked(tmp_path / "file/out"), "x", None)
