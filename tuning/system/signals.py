"""Ctrl-C, and the signal that ends a job: the first ends a launch in order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

INTERRUPTED = 130  # exit code, as a shell has it for a program that Ctrl-C ended
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Pending:
    """Whether an interrupt has to wait, and whether one does."""

    depth = 0
    came = False


@contextmanager
def handle_signals() -> Iterator[Callable[[], None]]:
    """Raise KeyboardInterrupt at the first signal; end all processes of ours at the second.

    What it gives takes the signals again from a library that took them for itself.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    _listen()
    try:
        yield _listen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Let an interrupt wait until what is done inside is whole; other threads get none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Pending.depth += 1
    try:
        yield
    finally:
        _Pending.depth -= 1
    if _Pending.came and not _Pending.depth:
        _Pending.came = False
        raise KeyboardInterrupt


def _listen() -> None:
    for number in _SIGNALS:
        signal.signal(number, _first)


def _first(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, _at_once)
    text = "\nInterrupted: what was reached is being kept; Ctrl-C again stops at once\n"
    os.write(sys.stderr.fileno(), text.encode())
    if _Pending.depth:
        _Pending.came = True
        return
    raise KeyboardInterrupt


def _at_once(number: int, frame: FrameType | None) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    os._exit(INTERRUPTED)
