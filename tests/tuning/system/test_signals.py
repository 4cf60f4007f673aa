"""Guards interrupts: the first ends the work, but not inside a block that defers it."""

import os
import signal
from collections.abc import Callable

import pytest

from tuning.system.signals import defer_interrupts, handle_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_work_and_the_old_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), handle_signals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_an_interrupt_waits_for_the_end_of_the_outermost_block() -> None:
    done = []

    def work() -> None:
        with defer_interrupts():
            with defer_interrupts():
                os.kill(os.getpid(), signal.SIGINT)
                done.append("inner")
            done.append("outer")
        done.append("after")

    with pytest.raises(KeyboardInterrupt), handle_signals():
        work()
    assert done == ["inner", "outer"]


def test_handlers_that_a_library_replaced_can_be_installed_again() -> None:
    def work(install_handlers: Callable[[], None]) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        install_handlers()
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), handle_signals() as install_handlers:
        work(install_handlers)
