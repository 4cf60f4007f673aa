"""Guards the record of a launch: what stands in and why, in words and with what libraries said."""

from pathlib import Path

from tests.tuning.execution.experiment import prepared
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.record import open_log


def tags_of(folder: Path, data: str) -> dict[str, str]:
    """Return the tags in the journal of a launch on this data set."""
    (folder / "check").mkdir()
    settings = LaunchSettings(
        run_name="check",
        output=folder,
        shared_output=StoragePath(str(folder)),
        tracking_uri="sqlite://",
        artifacts=folder / "artifacts",
    )
    log = open_log(prepared(folder / "cache", data=data), settings)
    (entry,) = (entry for entry in log.journal.entries if "tags" in entry)
    return entry["tags"]


def test_the_journal_keeps_a_notice_with_its_detail(tmp_path: Path) -> None:
    tags = tags_of(tmp_path, "auto")
    assert tags["notices"].startswith("PARADE is unavailable: 127.0.0.1 refuses the connection")
    assert "ConnectionRefusedError" in tags["notice_details"]
    assert "ConnectionRefusedError" not in tags["notices"]


def test_a_launch_without_notices_says_so(tmp_path: Path) -> None:
    tags = tags_of(tmp_path, "embedded")
    assert (tags["notices"], tags["notice_details"]) == ("none", "none")
