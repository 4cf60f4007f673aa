"""An import that waits for nothing: in a thread, beside other work."""

from __future__ import annotations

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
        yield aside.submit(importlib.import_module, module)
