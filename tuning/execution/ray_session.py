"""The Ray session for the trials: started on this machine, or joined on a cluster.

Nothing else that takes long to import is imported here, so that Ray can start first.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from measures.passwords import hide_passwords
from tuning.system.machine import count_cores
from tuning.system.project import ROOT
from tuning.system.signals import handle_signals

logger = logging.getLogger(__name__)
_PACKAGES = ("measures", "models", "tuning")  # packages of this project that a trial imports
_REASONS = re.compile(" Possible reasons| This can happen")  # a long list follows these words
# processes that share a GPU fragment its memory less with segments that grow
_ALLOCATOR = {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}
_PATIENCE = 30.0  # seconds for a cluster to answer
# Below a folder for temporary files, the longest name of a socket that Ray makes.
_SOCKET = "/ray/session_2026-01-31_23-59-59_999999_4194304/sockets/plasma_store.9"
_SOCKET_BYTES = 107  # longest name of a socket that the system takes
_SHORT = ("/tmp", "/var/tmp", "/dev/shm")  # where the environment names a longer folder
_JOIN = """\
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=50)
ray.shutdown()
"""


class ClusterError(OSError):
    """A cluster that cannot be used; the message has the reason and the way out."""


def set_ray_defaults(address: str | None) -> None:
    """Set the environment variables that Ray reads; to be called before anything imports it.

    Variables that the user has set stay as they are.

    Args:
        address: Address of the cluster to join; None for a session that only this machine reaches.

    Raises:
        ClusterError: If no folder for temporary files has a name that is short enough.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # new output: a box even at verbose=0
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    # a launch is resumed from its journal: nothing would read Ray's own snapshots of all trials
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1e9")
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Ctrl-C ends more than a stage
    for name, value in _ALLOCATOR.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # the log has those of trials
    if address is None:  # "0" makes Ray listen on the loopback interface only, on Linux too
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        # Ray's agents import while this program does; it waits 30 seconds for the session anyway
        os.environ.setdefault("RAY_agent_register_timeout_ms", "30000")
        folder = _choose_folder()
        if folder != os.environ.get("TMPDIR", _SHORT[0]):
            os.environ["RAY_TMPDIR"] = folder
        if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
            # Ray would write one into the home folder, which may be absent or not writable
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex()


def _choose_folder() -> str:
    """Return the folder for Ray's temporary files: that of the environment, else a short one.

    Raises:
        ClusterError: If the names of the sockets in it would be too long.
    """
    room = _SOCKET_BYTES - len(_SOCKET)
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    asked = os.environ.get(name, _SHORT[0])
    usable = [folder for folder in (asked, *_SHORT) if os.access(folder, os.W_OK)]
    for folder in [asked] if name == "RAY_TMPDIR" else usable:
        if len(os.fsencode(folder)) <= room:
            return folder
    raise ClusterError(
        f"{name}: {asked}: must have at most {room} bytes, because Ray puts sockets there and the "
        "system takes no longer names; set RAY_TMPDIR to a short folder"
    )


def check_address(address: str | None) -> None:
    """Check within a bounded time that a cluster can be joined at an address.

    Ray itself waits for minutes, and Ctrl-C does not reach it then.

    Args:
        address: Address as HOST:PORT, or auto; None needs no check.

    Raises:
        ClusterError: If no cluster answers, or it refuses this program or its versions.
    """
    if address is None:
        return
    if "://" in address:
        raise ClusterError(
            f"--address: must be auto or HOST:PORT, got {hide_passwords(address)!r}; through "
            "Ray's client the driver would run on the head node, away from its journal: start "
            "the command there with --address auto, or send it with ray job submit"
        )
    reason = _probe_port(address) if address != "auto" else None
    if reason is None:
        reason = _join(address)
    if reason is not None:
        raise ClusterError(
            f"--address: no cluster can be joined at {address}: {reason}; ray start --head starts "
            "one, and leaving --address out runs on this machine"
        )


def _probe_port(address: str) -> str | None:
    """Return why no program can be reached at the address; None if one listens there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return "it must be HOST:PORT, as 10.0.0.1:6379"
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        return f"nothing listens there ({error})"
    return None


def _join(address: str) -> str | None:
    """Return why a separate process cannot join the cluster; None if it can."""
    command = [sys.executable, "-c", _JOIN, address]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"the program there did not answer as Ray does within {_PATIENCE:g} seconds"
    if ended.returncode == 0:
        return None
    if "InvalidAuthToken" in ended.stderr:
        return "it asks for Ray's token: put RAY_AUTH_MODE=token before the command"
    lines = [line for line in ended.stderr.splitlines() if "Error: " in line]
    return lines[-1].partition(": ")[2] if lines else f"exit code {ended.returncode}"


@contextmanager
def ray_session(address: str | None, trials: int = 0) -> Iterator[None]:
    """Start Ray on this machine, or join a cluster; end every process of the session at the end.

    Args:
        address: Address of the cluster; None starts Ray here.
        trials: Number of trials that would run at a time if there were cores enough.
    """
    set_ray_defaults(address)
    if address is None:
        _load_ahead(trials)
    import ray
    import ray._private.worker as outlet

    outlet.print_to_stdstream = _log_lines  # Ray has no setting for what it prints of a lost node
    with handle_signals() as listen:
        try:
            _start(address)
            listen()  # take SIGTERM back from Ray
            # this program prints a line for a failed trial; the trace is in the trial's folder
            logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)
            yield
        finally:
            ray.shutdown()


def _start(address: str | None) -> None:
    """Start Ray or join a cluster; raise ClusterError if that takes Ray over half a minute."""
    import ray

    if not address:
        _leave_out_services()
    # a cluster's nodes run this code, whatever version of it is installed there
    modules = [str(ROOT / name) for name in _PACKAGES]
    code = {"py_modules": modules, "env_vars": _ALLOCATOR} if address else None
    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            num_cpus=None if address else count_cores(),  # Ray would count the machine's
            runtime_env=code,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:
        if type(error) is not Exception:  # Ray has no narrower kind for what came too late
            raise
        raise ClusterError(
            f"Ray did not start: {str(error).partition('. ')[0]}; run the command again when this "
            "machine has less to do; make doctor tries Ray alone"
        ) from error


def _leave_out_services() -> None:
    """Start no process of Ray's that nobody asks here; each takes over half a second of a core.

    They are the monitor of the autoscaler, the reader of what workers print, and the server of the
    dashboard, which sends usage statistics if there is no dashboard. ``ray.init`` would wait for
    the last one, and has no setting for any.
    """
    from ray._private.node import Node

    for start in ("start_monitor", "start_log_monitor", "start_api_server"):
        setattr(Node, start, lambda self, **_: None)


def _load_ahead(trials: int) -> None:
    """Let processes of this machine's session import what a trial needs before they get one.

    Ray starts one for each core as soon as it runs, while this program does its own imports, if
    every one will get a trial; on GPUs, fewer trials may run at a time.
    """
    cores = count_cores()
    ahead = trials >= cores and shutil.which("nvidia-smi") is None
    os.environ.setdefault("RAY_preload_python_modules", "tuning.worker")
    os.environ.setdefault("RAY_prestart_worker_first_driver", str(int(ahead)))
    # else Ray ends them when Tune has reserved the cores, before it gives them the trials
    os.environ.setdefault("RAY_num_workers_soft_limit", str(cores))


def _log_lines(message: dict[str, Any], **_: object) -> None:
    """Log a message of Ray in one line; Ray itself would print the end of a lost node's log."""
    for text in message["lines"]:
        logger.warning("Notice: Ray: %s", _REASONS.split(text.strip())[0].split("\n")[0])
