"""A Ray session for the trials; imports nothing else that is heavy, so that it can start first."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import ray


@contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Start Ray here, or join the cluster at ``address``; leave no process of ours behind."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new one prints a box at verbose=0 too
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    # workers that wait for tasks, of which Tune has none: its trials get processes of their own
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    ray.init(
        address=address or "local",
        include_dashboard=None if address else False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    # a failed trial is told in a line; Ray keeps its trace in the trial's folder
    logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)
    try:
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
