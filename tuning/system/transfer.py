"""The progress of a download: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

_SECONDS_PER_LINE = 10.0


class Transfer:
    """What has come of one download, with the rate and the time left.

    Args:
        console: Console to draw on; without one nothing is shown, without a terminal lines are.
        name: What is downloaded.
    """

    def __init__(self, console: Console | None, name: str) -> None:
        self._console = console
        self._name = name
        self._first: tuple[float, int] | None = None  # time and bytes of the first report
        self._last_line = 0.0
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=console is None or not console.is_terminal,
        )
        self._task = self._bars.add_task(name, total=None)

    def __enter__(self) -> Transfer:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._first is None:
            self._bars.remove_task(self._task)  # nothing came: no empty bar stays
        self._bars.stop()

    def show(self, done: int, total: int | None) -> None:
        """Show what has come.

        Args:
            done: Number of bytes that are here, with those of an earlier try.
            total: Number of bytes in all; None if the other side did not say.
        """
        self._bars.update(self._task, completed=done, total=total)
        now = time.monotonic()
        if self._first is None:
            self._first, self._last_line = (now, done), now
            kept = f", {decimal(done)} of it are here already" if done else ""
            size = "" if total is None else f" {decimal(total)}"
            self._line(f"downloading{size}{kept}")
        elif now - self._last_line >= _SECONDS_PER_LINE:
            self._last_line = now
            self._line(self._state(done, total, now))

    def _state(self, done: int, total: int | None, now: float) -> str:
        since, before = self._first or (now, done)
        rate = (done - before) / max(now - since, 1e-3)
        text = decimal(done) if total is None else f"{decimal(done)} of {decimal(total)}"
        text += f", {decimal(int(rate))}/s"
        if total is None or rate <= 0:
            return text
        minutes, seconds = divmod(round((total - done) / rate), 60)
        return f"{text}, {minutes}:{seconds:02d} left"

    def _line(self, text: str) -> None:
        if self._console is not None and not self._console.is_terminal:
            self._console.print(Text(f"{self._name}: {text}"), soft_wrap=True)
