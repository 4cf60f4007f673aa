"""Guards Ray's session: its processes, and that a wrong address is refused with the reason."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray._private.utils import validate_socket_filepath

from tuning.execution import ray_session
from tuning.execution.ray_session import (
    ClusterError,
    _choose_folder,
    _load_ahead,
    check_address,
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


_LAUNCH = """
import os, sys, time
import psutil
from tuning.execution.ray_session import ray_session
from tuning.system.machine import count_cores

def train(config):
    loaded = "tuning.execution.trial" in sys.modules
    import torch
    tune.report({"pid": os.getpid(), "loaded": loaded, "threads": torch.get_num_threads()})

def processes():
    found = psutil.Process().children(recursive=True)
    return {process.pid: " ".join(process.cmdline()) for process in found}

def ahead():
    return {pid for pid, command in processes().items() if command.startswith("ray::IDLE")}

with ray_session(None, count_cores()):
    deadline = time.monotonic() + 60
    while len(ahead()) < count_cores() and time.monotonic() < deadline:
        time.sleep(0.1)
    known = ahead()
    from ray import tune
    from tuning.execution.tuner import share_environment
    share_environment()
    found = tune.Tuner(train, run_config=tune.RunConfig(storage_path=sys.argv[1], verbose=0)).fit()
    assert found[0].metrics["pid"] in known, (found[0].metrics, known)
    assert found[0].metrics["loaded"]
    assert found[0].metrics["threads"] == 1, "libraries found the machine's cores"
    print("\\n".join(processes().values()))
"""


@pytest.mark.slow  # Ray starts
def test_a_trial_gets_a_process_that_was_started_ahead_and_no_service_runs_that_nobody_asks(
    tmp_path: Path,
) -> None:
    # without what tests before this one have set
    environment = {
        name: value
        for name, value in os.environ.items()
        if "RAY" not in name and name != "OMP_NUM_THREADS"
    }
    command = [sys.executable, "-c", _LAUNCH, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr
    assert "gcs_server" in run.stdout
    assert "ray::DashboardAgent" in run.stdout
    for service in ("monitor.py", "dashboard.py"):
        assert service not in run.stdout


@pytest.mark.parametrize(
    ("tool", "trials", "ahead"), [(None, 3, "0"), (None, 4, "1"), ("/bin/nvidia-smi", 4, "0")]
)
def test_processes_are_started_ahead_only_if_each_gets_a_trial(
    monkeypatch: pytest.MonkeyPatch, tool: str | None, trials: int, ahead: str
) -> None:
    monkeypatch.setattr(ray_session, "count_cores", lambda: 4)
    monkeypatch.setattr(ray_session.shutil, "which", {"nvidia-smi": tool}.get)
    monkeypatch.setattr(os, "environ", {})
    _load_ahead(trials)
    assert ahead in os.environ.values()
