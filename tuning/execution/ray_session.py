"""A Ray session for the trials; imports nothing else that is heavy, so that it can start first."""

from __future__ import annotations

import importlib
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from measures.passwords import hide_passwords
from tuning.system.project import ROOT
from tuning.system.signals import handle_signals

logger = logging.getLogger(__name__)
_PACKAGES = ("measures", "models", "tuning")  # what a trial imports of this project
_REASONS = re.compile(" Possible reasons| This can happen")  # and what follows is long
_PATIENCE = 30.0  # seconds for a cluster to answer
_JOIN = """\
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=50)
ray.shutdown()
"""


class ClusterError(OSError):
    """A cluster that cannot be used; the message names what, and the way out."""


def set_ray_defaults(address: str | None) -> None:
    """Tell Ray what it reads from the environment; before anything imports it.

    Args:
        address: Of a cluster to join; None starts Ray here, where no other machine can reach it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new one prints a box at verbose=0 too
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    # a launch goes on from its journal: Ray's own snapshots of all trials would not be read
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1e9")
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # ours ends the launch, not a stage
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of trials: told in a sentence
    # workers that wait for tasks, of which Tune has none: its trials get processes of their own
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    if address is None:  # it listens on loopback where it knows of no cluster, whatever the system
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def check_address(address: str | None) -> None:
    """Check that a cluster answers at an address, in bounded time.

    Ray itself waits for minutes, and in a place where no signal reaches it.

    Raises:
        ClusterError: If none does, or not to a program of these versions.
    """
    if address is None:
        return
    if "://" in address:
        raise ClusterError(
            f"--address: must be auto or HOST:PORT, got {hide_passwords(address)!r}; through "
            "Ray's client the search would run on the head node, away from its journal: start "
            "the command there with --address auto, or send it with ray job submit"
        )
    said = _probe_port(address) if address != "auto" else None
    if said is None:
        said = _join(address)
    if said is not None:
        raise ClusterError(
            f"--address: no cluster can be joined at {address}: {said}; ray start --head starts "
            "one, and leaving --address out runs on this machine"
        )


def _probe_port(address: str) -> str | None:
    """Return why nothing listens there; None if something does."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return "it must be HOST:PORT, as 10.0.0.1:6379"
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        return f"nothing listens there ({error})"
    return None


def _join(address: str) -> str | None:
    """Return why a process of its own cannot join; None if it can."""
    command = [sys.executable, "-c", _JOIN, address]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"what listens there has not answered as Ray does for {_PATIENCE:g} seconds"
    if ended.returncode == 0:
        return None
    if "InvalidAuthToken" in ended.stderr:
        return "it asks for Ray's token: put RAY_AUTH_MODE=token before the command"
    lines = [line for line in ended.stderr.splitlines() if "Error: " in line]
    return lines[-1].partition(": ")[2] if lines else f"exit code {ended.returncode}"


@contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Start Ray here, or join the cluster at ``address``; leave no process of ours behind."""
    set_ray_defaults(address)
    import ray
    import ray._private.worker as outlet

    outlet.print_to_stdstream = _tell  # Ray has no setting for what it prints of a lost node
    # a cluster's nodes run this very code, whatever is installed there
    code = {"py_modules": [str(ROOT / name) for name in _PACKAGES]} if address else None
    with handle_signals() as listen:
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                runtime_env=code,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
            listen()  # Ray took the signal that ends a job
            # a failed trial is told in a line; Ray keeps its trace in the trial's folder
            logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)
            yield
        finally:
            ray.shutdown()


def _tell(said: dict[str, Any], **_: object) -> None:
    """Tell in a line what Ray says of a node: it would print the end of the node's log."""
    for text in said["lines"]:
        logger.warning("Notice: Ray: %s", _REASONS.split(text.strip())[0].split("\n")[0])


@contextmanager
def import_aside(module: str) -> Iterator[Future[Any]]:
    """Import a module in a thread while Ray starts, which is mostly waiting; give it as a future.

    torch and MLflow take seconds.
    """
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(importlib.import_module, module)
