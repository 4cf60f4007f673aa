"""Guards the check of a cluster's address: a wrong one is refused with the reason, in time."""

import os
import socket
from collections.abc import Iterator

import pytest
import ray
from ray._private.utils import validate_socket_filepath

from tuning.execution import ray_session
from tuning.execution.ray_session import (
    ClusterError,
    _choose_folder,
    check_address,
    check_ray,
    set_ray_defaults,
)


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


@pytest.mark.parametrize(
    ("changes", "folder"),
    [
        ({}, "/tmp"),
        ({"TMPDIR": "/var/tmp"}, "/var/tmp"),
        ({"TMPDIR": "/var/tmp/" + "long" * 20}, "/tmp"),
        ({"TMPDIR": "/absent"}, "/tmp"),
        ({"RAY_TMPDIR": "/short", "TMPDIR": "/var/tmp"}, "/short"),
    ],
)
def test_rays_files_are_where_the_environment_says_if_its_sockets_fit(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], folder: str
) -> None:
    for name in ("TMPDIR", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert _choose_folder() == folder


def test_the_longest_folder_that_is_taken_leaves_room_for_a_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/" + "ü" * 19)  # 39 bytes
    with pytest.raises(ClusterError, match=r"RAY_TMPDIR: /ü+: must have at most 37 bytes, .*set"):
        _choose_folder()
    monkeypatch.setenv("RAY_TMPDIR", "/" + "x" * 36)
    longest = (
        f"{_choose_folder()}/ray/session_2026-01-31_23-59-59_999999_4194304/sockets/plasma_store.9"
    )
    validate_socket_filepath(longest)


@pytest.mark.parametrize("name", ["RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", None])
def test_a_session_has_a_token_of_its_own_unless_the_user_chose(
    monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    monkeypatch.setattr(os, "environ", {} if name is None else {name: "chosen"})
    set_ray_defaults("10.0.0.1:6379")
    assert "RAY_AUTH_TOKEN" not in os.environ or name == "RAY_AUTH_TOKEN"
    set_ray_defaults(None)
    token = os.environ.get("RAY_AUTH_TOKEN")
    assert (token not in (None, "chosen")) == (name is None)


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


def test_a_start_that_takes_too_long_is_an_error_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait_in_vain(**_: object) -> None:
        raise Exception("The current node timed out during startup. This could happen because")

    monkeypatch.setattr(ray, "init", wait_in_vain)  # Ray itself waits for 30 seconds
    with (
        pytest.raises(ClusterError, match=r"timed out during startup; run the command again when"),
        ray_session.ray_session(None),
    ):
        pytest.fail("no session was started")
