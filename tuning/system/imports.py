"""Imports that take seconds: in a thread beside other work, and without a search for garbage."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

_COURTESY = 10  # levels of priority below the program's own; 19 is the lowest


@contextmanager
def import_aside(module: str, *later: str) -> Iterator[Future[Any]]:
    """Import a module in a thread while Ray starts, and yield it as a future.

    Importing torch and MLflow takes seconds, and starting Ray is mostly waiting.

    Args:
        module: Name of the module.
        later: Names of modules that are imported after it.
    """
    with ThreadPoolExecutor(1, initializer=_give_way) as aside:
        load = without_collection()(importlib.import_module)
        first, *_ = [aside.submit(load, name) for name in (module, *later)]
        yield first


def _give_way() -> None:
    """Let Ray's own processes go first: it gives up if they take long to start."""
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        lower = min(19, os.getpriority(os.PRIO_PROCESS, 0) + _COURTESY)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), lower)


@contextmanager
def without_collection() -> Iterator[None]:
    """Search for no garbage within the block, nor later among what it leaves.

    Modules stay until the end, and searching them takes a fifth of the time of their imports.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
