"""Handlers of Ctrl-C and SIGTERM: the first ends a launch in order, the second one at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

INTERRUPTED = 130  # the exit code by which shells report a program that Ctrl-C ended
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Deferred:
    """State of this process: nested blocks that defer interrupts, and whether one is waiting.

    It is module-wide because signal handlers are.
    """

    depth = 0
    waiting = False


@contextmanager
def handle_signals() -> Iterator[Callable[[], None]]:
    """Raise KeyboardInterrupt at the first signal; kill this process and its children at the next.

    The handlers from before come back when the block ends.

    Yields:
        A function that installs these handlers again, after a library has replaced them.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    _install_handlers()
    try:
        yield _install_handlers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Postpone an interrupt until the block ends, so that what it writes is complete.

    Python interrupts the main thread only: in any other thread this does nothing.

    Raises:
        KeyboardInterrupt: After the outermost block, if a signal came within it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Deferred.depth += 1
    try:
        yield
    finally:
        _Deferred.depth -= 1
    if _Deferred.waiting and not _Deferred.depth:
        _Deferred.waiting = False
        raise KeyboardInterrupt


def _install_handlers() -> None:
    for number in _SIGNALS:
        signal.signal(number, _end_in_order)


def _end_in_order(number: int, frame: FrameType | None) -> None:
    for other in _SIGNALS:
        signal.signal(other, _end_at_once)
    text = "\nInterrupted: saving what is done so far; Ctrl-C again stops at once\n"
    os.write(sys.stderr.fileno(), text.encode())
    if _Deferred.depth:
        _Deferred.waiting = True
        return
    raise KeyboardInterrupt


def _end_at_once(number: int, frame: FrameType | None) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    os._exit(INTERRUPTED)
