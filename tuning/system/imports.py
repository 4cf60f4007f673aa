"""Imports that take seconds: in a thread beside other work, and without a search for garbage."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def import_aside(module: str) -> Iterator[Future[Any]]:
    """Import a module in a thread while Ray starts, and yield it as a future.

    Importing torch and MLflow takes seconds, and starting Ray is mostly waiting.
    """
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(without_collection()(importlib.import_module), module)


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
