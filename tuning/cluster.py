"""A Ray session for the trials; imports nothing else that is heavy, so that it can start first."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tuning.interrupts import interruptible


def settle_environment(address: str | None) -> None:
    """Tell Ray what it reads from the environment; before anything imports it.

    Args:
        address: Of a cluster to join; None starts Ray here, where no other machine can reach it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new one prints a box at verbose=0 too
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # ours ends the launch, not a stage
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of trials: told in a sentence
    # workers that wait for tasks, of which Tune has none: its trials get processes of their own
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    if address is None:  # it listens on loopback where it knows of no cluster, whatever the system
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


@contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Start Ray here, or join the cluster at ``address``; leave no process of ours behind."""
    settle_environment(address)
    import ray

    with interruptible() as listen:
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
            listen()  # Ray took the signal that ends a job
            # a failed trial is told in a line; Ray keeps its trace in the trial's folder
            logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)
            yield
        finally:
            ray.shutdown()


@contextmanager
def import_aside(module: str) -> Iterator[Future[Any]]:
    """Import a module in a thread while Ray starts, which is mostly waiting; give it as a future.

    torch and MLflow take seconds.
    """
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(importlib.import_module, module)
