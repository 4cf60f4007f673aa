"""Live progress of a pretraining: a bar with speed and time left, a line for each point."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from tuning.pretraining.trainer import MlmTrainer, StepResult

_SMOOTHING = 0.9  # weight of the past in the speed that is shown


class PretrainingProgress:
    """Shows the progress of one phase; use it as a context manager.

    Args:
        console: Terminal to draw on; a file or a pipe gets only the lines of the points.
        name: Name of the phase.
        training: Trainer that is about to run.
    """

    def __init__(self, console: Console, name: str, training: MlmTrainer) -> None:
        self._console, self._name = console, name
        self._first_fraction = training.done_fraction
        self._seconds = 0.0
        self._speed: float | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=1.0, text="")

    def __enter__(self) -> PretrainingProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self, result: StepResult) -> None:
        """Show a step in the bar."""
        self._seconds += result.seconds
        speed = result.tokens / result.seconds
        before = self._speed if self._speed is not None else speed
        self._speed = _SMOOTHING * before + (1 - _SMOOTHING) * speed
        text = (
            f"step {result.step}  loss {result.loss:.3f}  {self._speed:,.0f} tokens/s  "
            f"{self._left(result)} left"
        )
        self._bar.update(self._task, completed=result.done_fraction, text=text)

    def show(self, point: dict[str, Any]) -> None:
        """Print a line for an evaluation point."""
        self._console.print(
            f"{self._name}  step {point['step']:>6}  train loss {point['train_loss']:.3f}  "
            f"held-out loss {point['heldout_loss']:.3f}  accuracy "
            f"{point['heldout_accuracy']:.3f}  {point['tokens_per_second']:,.0f} tokens/s",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip

    def _left(self, result: StepResult) -> str:
        """Return the estimated time left, at the speed of this run, as ``1:02:03``."""
        done = result.done_fraction - self._first_fraction
        seconds = int(self._seconds * (1 - result.done_fraction) / done) if done else 0
        hours, rest = divmod(seconds, 3600)
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
