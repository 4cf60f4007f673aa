"""Progress of the trials: live bars on a terminal, elsewhere a line for each ended trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from measures.objective import OBJECTIVE, VALIDATION_F1, flags_of
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.system.console import notify
from tuning.system.time_left import TimeLeft, about

_PAUSE = 1.0  # seconds between two estimates of the time that is left: thousands of trials may run


class Progress:
    """A bar for each running trial and one for all of them; ended trials become lines above.

    Args:
        console: Console to draw on; without a terminal only the lines are printed.
        left: Number of the trials and estimate of their time.
        of_what: What the time is of, as the end of a sentence; empty for the whole launch.
    """

    def __init__(self, console: Console, left: TimeLeft, of_what: str = "") -> None:
        self._console, self._left, self._of_what = console, left, of_what
        self._started = time.monotonic()
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[score]}"),
            console=console,
        )
        self._all = self._bars.add_task("trials", total=left.count, score="")
        self._tasks: dict[str, TaskID] = {}
        self._live = Live(Group(self._bars), console=console, refresh_per_second=4)
        self._done = 0
        self._shown = float("-inf")  # when the time that is left was last worked out

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._console.print(Text(f"Training {self._left.count} trials{self._of_what}"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def start(self, name: str, epochs: int, planned: float) -> None:
        """Show a trial that started; ``planned`` is the seconds that an epoch of it may take."""
        self._left.start(name, epochs, planned)
        if name not in self._tasks:  # a trial that is tried again keeps its bar
            self._tasks[name] = self._bars.add_task(name, total=epochs, score="")

    def advance(self, name: str, result: Mapping[str, Any]) -> None:
        """Show a finished epoch from its report: number, seconds, scores of the best so far.

        F1* is F1 at the threshold chosen on validation.
        """
        score = _scores(result.get("best", {VALIDATION_F1: result[OBJECTIVE]}))
        self._left.step(name, result["epoch"], result["seconds"])
        self._bars.update(self._tasks[name], completed=result["epoch"], score=score)
        if self._console.is_terminal and time.monotonic() - self._shown > _PAUSE:
            self._show_left()

    def _show_left(self) -> str:
        """Show beside the bar of all trials how long they still take, and return the words."""
        self._shown, seconds = time.monotonic(), self._left.seconds
        words = "" if seconds is None else f"{about(seconds)} left{self._of_what}"
        self._bars.update(self._all, score=words)
        return words

    def notify(self, sentence: str) -> None:
        """Show a notice above the bars."""
        notify(self._console, sentence)

    def finish(self, name: str, metrics: Mapping[str, float]) -> None:
        """Replace the bar of a finished trial by a line with its scores."""
        self._end(name, f"{_scores(metrics)} {' '.join(flags_of(metrics))}", "green")

    def fail(self, name: str, cause: str) -> None:
        """Replace the bar of a failed trial by a line with its cause."""
        self._end(name, f"failed: {cause}", "red")

    def _end(self, name: str, message: str, colour: str) -> None:
        self._done += 1
        self._left.finish(name)
        words = self._show_left() if self._done < self._left.count else ""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        head = f"{minutes:3d}:{seconds:02d}  {self._done}/{self._left.count}  "
        line = Text(head).append(name, style=colour).append(f"  {message}".rstrip())
        if words and not self._console.is_terminal:
            line.append(f"  ({words})")
        self._console.print(line, soft_wrap=True)
        if name in self._tasks:
            self._bars.remove_task(self._tasks.pop(name))
        self._bars.advance(self._all)


def _scores(metrics: Mapping[str, float]) -> str:
    """Return those of the two validation scores that trials are ranked by that are known."""
    shown = (("val F1*", VALIDATION_F1), ("val AUC", "val_auc"))
    return " ".join(f"{label} {metrics[key]:.3f}" for label, key in shown if key in metrics)


class _Speed(ProgressColumn):
    """Items per second; empty until the first batch has ended."""

    def render(self, task: Task) -> Text:
        """Return the speed of a task as text."""
        return Text("" if task.speed is None else f"{task.speed:.0f} a second")


@contextmanager
def encoding_progress(
    console: Console, prepared: Prepared, variants: Sequence[TrialConfig]
) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances a bar over the rows that the frozen layers encode.

    Without a terminal a line says what begins.

    Args:
        console: Console to draw on.
        prepared: Experiment with its tokenized splits.
        variants: Trials of one encoding, whose frozen layers run in one pass.
    """
    encoding = variants[0].encoding
    what = "rows" if encoding == "pair" else "texts"
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn(f"{{task.completed}}/{{task.total}} {what}"),
        _Speed(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    depths = sorted({prepared.depth_of(trial) for trial in variants})
    *others, deepest = map(str, depths)
    shown = f"{', '.join(others)} and {deepest}" if others else deepest
    total = sum(table.sequences.rows for table in prepared.encoded[encoding].splits.values())
    if not console.is_terminal:
        console.print(Text(f"Preparing {total} {what} for trials with {shown} frozen layers"))
    with bars:
        task = bars.add_task(f"{shown} frozen layers", total=total)
        yield lambda rows: bars.advance(task, rows)
