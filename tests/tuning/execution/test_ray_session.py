"""Guards joining a cluster: what cannot be joined is said, in bounded time."""

import socket
from collections.abc import Iterator

import pytest

from tuning.execution import ray_session as cluster
from tuning.execution.ray_session import ClusterError, check_address


@pytest.fixture
def silent() -> Iterator[int]:
    """Give the port of something that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_without_an_address_nothing_is_asked() -> None:
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
def test_an_address_without_a_cluster_is_said(address: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        check_address(address)


def test_what_listens_and_is_no_cluster_is_given_up(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 3.0)
    with pytest.raises(ClusterError, match="has not answered as Ray does for 3 seconds"):
        check_address(f"127.0.0.1:{silent}")
