"""Guards the progress of a download: a bar on a terminal, lines elsewhere, nothing if unwanted."""

import io
import re

import pytest
from rich.console import Console

from tuning.system import transfer
from tuning.system.transfer import Transfer


def shown(console: Console, *reports: tuple[int, int | None]) -> str:
    """Return what a download prints that makes these reports."""
    with Transfer(console, "weights") as progress:
        for done, total in reports:
            progress.show(done, total)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines(*reports: tuple[int, int | None]) -> list[str]:
    return shown(Console(file=io.StringIO(), width=120), *reports).splitlines()


def last_picture(text: str) -> str:
    """Return what stays on a terminal: what follows the last line that was erased."""
    return text.rpartition("\x1b[2K")[2]


def terminal() -> Console:
    return Console(file=io.StringIO(), width=120, force_terminal=True)


def test_a_terminal_gets_a_bar_with_sizes_rate_and_time_left() -> None:
    text = shown(terminal(), (0, 2_000_000), (1_000_000, 2_000_000), (2_000_000, 2_000_000))
    assert re.search(r"weights .*2\.0/2\.0 MB.*0:00:00", last_picture(text))


def test_a_download_of_which_nothing_came_leaves_no_bar_and_no_line() -> None:
    text = shown(terminal())
    assert "weights" in text
    assert "weights" not in last_picture(text)
    assert lines() == []


def test_the_first_line_says_what_is_here_already() -> None:
    assert lines((0, 2_000_000)) == ["weights: downloading 2.0 MB"]
    assert lines((5, None)) == ["weights: downloading, 5 bytes of it are here already"]
    first = "weights: downloading 2.0 MB, 500.0 kB of it are here already"
    assert lines((500_000, 2_000_000)) == [first]


def test_further_lines_come_now_and_then() -> None:
    assert len(lines(*[(done, 1000) for done in range(1000)])) == 1


def test_a_further_line_has_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 105.0, 110.0])
    monkeypatch.setattr(transfer.time, "monotonic", lambda: next(clock))
    found = lines((10_000, 90_000), (20_000, 90_000), (30_000, 90_000))
    assert found[1:] == ["weights: 30.0 kB of 90.0 kB, 2.0 kB/s, 0:30 left"]


def test_without_a_console_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with Transfer(None, "weights") as progress:
        progress.show(1, 2)
    assert capsys.readouterr().out == ""
