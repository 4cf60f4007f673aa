"""Guards which launch is begun, gone on with, or refused."""

import re
import sys
import time
from pathlib import Path

import pytest

from tests.tuning.tracking.recording import open_log
from tuning.cli import build_parser, launch_options
from tuning.tracking.journal import JOURNAL, Journal, JournalError
from tuning.tracking.launch_folder import LaunchError, LaunchOptions, lock_launch, make_settings
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.resume import choose_launch, find_interrupted, resume_hint


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


def test_the_last_interrupted_one_goes_on_or_the_one_that_is_named(tmp_path: Path) -> None:
    first = interrupted(tmp_path, "z")
    time.sleep(0.002)  # journals tell milliseconds
    second = interrupted(tmp_path, "a")
    assert find_interrupted(tmp_path, "x") == [first, second]
    assert choose_launch(asked(tmp_path, "--resume"), "x") == second
    assert choose_launch(asked(tmp_path, "--launch", "z"), "x") == first


def test_starting_over_unasked_is_refused_with_both_choices(tmp_path: Path) -> None:
    interrupted(tmp_path, "a")
    with pytest.raises(LaunchError, match=r"'x' was interrupted \(a\): --resume .* --overwrite"):
        choose_launch(asked(tmp_path), "x")
    assert choose_launch(asked(tmp_path, "--overwrite"), "x") is None
    assert choose_launch(asked(tmp_path), "x") is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resume"], "--resume: .* has no interrupted launch of 'y'"),
        (["--launch", "b"], "--launch: .* has no launch 'b'; interrupted are: none"),
        (["--launch", "../a"], r"has no launch '../a'"),
        (["--launch", "ended"], "ended came to its end; there is nothing to resume"),
    ],
)
def test_what_cannot_go_on_is_said(tmp_path: Path, words: list[str], message: str) -> None:
    interrupted(tmp_path, "a")
    LaunchLog(Journal(interrupted(tmp_path, "ended"))).end_parent(failed=0, summary={})
    with pytest.raises(LaunchError, match=message):
        choose_launch(asked(tmp_path, *words), "y")


def test_a_launch_at_work_is_none_that_was_interrupted_and_is_left_alone(tmp_path: Path) -> None:
    folder = interrupted(tmp_path, "a")
    with lock_launch(folder):
        assert choose_launch(asked(tmp_path), "x") is None
        with (
            pytest.raises(LaunchError, match=f"{folder}: another program is at work"),
            lock_launch(folder),
        ):
            pass
    assert find_interrupted(tmp_path, "x") == [folder]


def test_a_damaged_journal_matters_to_who_names_it_alone(tmp_path: Path) -> None:
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


def test_the_user_is_told_how_to_go_on_without_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run_grid.py", "--overwrite", "--tracking-uri", "postgresql://me:secret@h/x"]
    monkeypatch.setattr(sys, "argv", words)
    assert "nothing to resume" in resume_hint(asked(tmp_path), "x")
    interrupted(tmp_path, "a")
    told = resume_hint(asked(tmp_path), "x")
    assert told.endswith("python run_grid.py --tracking-uri 'postgresql://me:***@h/x' --resume")
