"""Guards the checks of a cluster's nodes: each problem is a line with the node and the remedy."""

from pathlib import Path

import pytest

from tuning.execution import node_checks
from tuning.execution.node_checks import NodeProbe, NodeReport, versions
from tuning.system.storage_path import StoragePath


def test_a_node_that_reaches_the_results_has_no_problem(tmp_path: Path) -> None:
    folder = StoragePath(str(tmp_path))
    (folder / "driver").write(b"token")
    report = NodeProbe().report(folder / "driver", folder / "own", b"token")
    assert report == NodeReport(versions=versions(), problem=None)
    assert (folder / "own").read() == b"token"


def test_a_node_with_a_folder_of_its_own_does_not_see_the_drivers_file(tmp_path: Path) -> None:
    folder = StoragePath(str(tmp_path))
    report = NodeProbe().report(folder / "driver", folder / "own", b"token")
    assert report.problem == f"does not see the file that the driver wrote: {tmp_path / 'driver'}"


def test_a_node_that_cannot_write_reports_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"token")
    folder = StoragePath(str(tmp_path))
    report = NodeProbe().report(folder / "file", folder / "file" / "own", b"token")
    assert "cannot be written" in str(report.problem)


def test_each_problem_is_a_line_with_the_node_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_checks, "versions", lambda: {"ray": "2", "torch": "3"})
    reports = {
        "a": NodeReport(versions={"ray": "2", "torch": "3"}, problem=None),
        "b": NodeReport(versions={"ray": "1", "torch": "none"}, problem=None),
        "c": NodeReport(versions={"ray": "2", "torch": "3"}, problem="sees nothing"),
        "d": "did not reply within 60 seconds",
    }
    assert list(node_checks._problems(reports)) == [
        "  - node b: ray must be 2 as here, got 1; torch must be 3 as here, got none; "
        "install constraints.txt there",
        "  - node c: sees nothing; --output must be a folder that all nodes share, or a URI as "
        "s3://bucket/folder that they may read and write",
        "  - node d did not reply within 60 seconds",
    ]


def test_a_build_for_other_devices_of_the_same_version_is_no_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_checks, "versions", lambda: {"torch": "2.13.0+cpu"})
    reports = {
        "a": NodeReport(versions={"torch": "2.13.0"}, problem=None),
        "b": NodeReport(versions={"torch": "2.13.1+cu130"}, problem=None),
    }
    assert list(node_checks._problems(reports)) == [
        "  - node b: torch must be 2.13.0+cpu as here, got 2.13.1+cu130; "
        "install constraints.txt there"
    ]
