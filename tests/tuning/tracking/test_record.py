"""Guards the record of a launch: what stands in and why, in words and with what libraries said."""

import sys
from pathlib import Path

import pytest
from rich.console import Console

from models.number_formats import Precision
from tests.tuning.execution.experiment import prepared
from tuning.system.storage_path import StoragePath
from tuning.tracking.journal import Journal
from tuning.tracking.launch_folder import LaunchError, LaunchSettings
from tuning.tracking.launch_log import PARENT, LaunchLog
from tuning.tracking.record import delivering, open_log
from tuning.tracking.run_record import TrackingError

MIXED = Precision("float32", "bfloat16")


def settings_in(folder: Path, store: str = "sqlite://") -> LaunchSettings:
    return LaunchSettings(
        run_name="check",
        output=folder,
        shared_output=StoragePath(str(folder)),
        tracking_uri=store,
        artifacts=folder / "artifacts",
        cache=folder / "cache",
    )


def start(folder: Path, data: str, precision: Precision = MIXED) -> LaunchLog:
    """Return the log of a launch on this data set, new or resumed."""
    settings = settings_in(folder)
    settings.folder.mkdir(exist_ok=True)
    log = LaunchLog(Journal(settings.folder))
    open_log(log, prepared(data=data), settings, precision)
    return log


def tags_of(folder: Path, data: str) -> dict[str, str]:
    """Return the tags in the journal of a launch on this data set."""
    return start(folder, data).runs[PARENT].tags


def test_a_launch_is_recorded_with_its_precision_and_resumed_in_no_other(tmp_path: Path) -> None:
    log = start(tmp_path, "embedded")
    assert log.journal.entries[0]["identity"]["precision"] == "float32 frozen, bfloat16 trained"
    assert log.runs[PARENT].params["precision"] == "float32 frozen, bfloat16 trained"
    start(tmp_path, "embedded")
    with pytest.raises(LaunchError) as error:
        start(tmp_path, "embedded", Precision("float32", "float32"))
    assert "precision was float32 frozen, bfloat16 trained, is now float32" in str(error.value)


def test_the_journal_keeps_a_notice_with_its_detail(tmp_path: Path) -> None:
    tags = tags_of(tmp_path, "auto")
    assert tags["notices"].startswith("PARADE is unavailable: 127.0.0.1 refuses the connection")
    assert "ConnectionRefusedError" in tags["notice_details"]
    assert "ConnectionRefusedError" not in tags["notices"]


def test_a_launch_without_notices_says_so(tmp_path: Path) -> None:
    tags = tags_of(tmp_path, "embedded")
    assert (tags["notices"], tags["notice_details"]) == ("none", "none")


def test_the_command_is_logged_without_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["tuning/run_grid.py", "--data", "my pairs", "--tracking-uri", "mysql://me:secret@h/x"]
    monkeypatch.setattr(sys, "argv", words)
    assert tags_of(tmp_path, "embedded")["command"] == (
        "python tuning/run_grid.py --data 'my pairs' --tracking-uri 'mysql://me:***@h/x'"
    )


def test_a_store_that_cannot_be_made_ends_a_launch_before_it_trains(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = settings_in(tmp_path, f"sqlite:///{tmp_path}/file/log.db")
    log = start(tmp_path, "embedded")
    with (
        pytest.raises(TrackingError, match="the MLflow store cannot be used"),
        delivering(log, settings, Console()),
    ):
        pytest.fail("a launch began whose log has no place")
    assert not settings.folder.exists()


def test_a_launch_does_not_wait_for_its_new_store(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, f"sqlite:///{tmp_path}/log.db")
    log = start(tmp_path, "embedded")
    with delivering(log, settings, Console()) as delivery:
        assert not (tmp_path / "log.db").exists()
    assert delivery.delivered == len(log.journal.entries)
    assert (tmp_path / "log.db").is_file()
