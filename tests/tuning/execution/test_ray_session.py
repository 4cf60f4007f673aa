"""Guards the check of a cluster's address: a wrong one is refused with the reason, in time."""

import socket
from collections.abc import Iterator

import pytest

from tuning.execution import ray_session
from tuning.execution.ray_session import ClusterError, check_address, check_ray


@pytest.fixture
def silent() -> Iterator[int]:
    """Yield the port of a server that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_no_address_needs_no_check() -> None:
    check_address(None)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"--address: no cluster .* 127.0.0.1:1: nothing listens .*ray start"),
        ("127.0.0.1:999999", "nothing listens there"),
        ("somewhere", "it must be HOST:PORT"),
        ("ray://me:secret@h:10001", r"auto or HOST:PORT, got 'ray://me:\*\*\*@h.*ray job submit"),
    ],
)
def test_an_address_without_a_cluster_is_refused_with_the_reason(
    address: str, message: str
) -> None:
    with pytest.raises(ClusterError, match=message):
        check_address(address)


def test_a_server_that_is_no_cluster_is_refused_after_a_while(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_session, "_PATIENCE", 3.0)
    with pytest.raises(ClusterError, match="did not answer as Ray does within 3 seconds"):
        check_address(f"127.0.0.1:{silent}")


def test_a_session_that_does_not_start_in_time_is_a_fault_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_session, "_TRY", "import time; time.sleep(60)")
    found = check_ray(0.2)
    assert found.text == "has not started within 0.2 seconds"
    assert "ray stop --force" in found.way_out
    assert found.stops


def test_a_session_that_fails_is_a_fault_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_session, "_TRY", "raise OSError(98, 'Address already in use')")
    found = check_ray()
    assert found.text == "does not start: OSError: [Errno 98] Address already in use"
    assert found.stops
