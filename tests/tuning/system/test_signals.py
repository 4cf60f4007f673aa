"""Guards interrupts: the first ends what is done, but not within what has to be whole."""

import os
import signal
from collections.abc import Callable

import pytest

from tuning.system.signals import defer_interrupts, handle_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_what_is_done_and_the_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), handle_signals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_what_has_to_be_whole_is_whole_before_an_interrupt_ends_it() -> None:
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


def test_a_library_that_takes_the_signals_gives_them_back() -> None:
    def work(listen: Callable[[], None]) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        listen()
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), handle_signals() as listen:
        work(listen)
