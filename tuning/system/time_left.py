"""The time that tasks of unequal length have left, from what those that ran have shown."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_UNKNOWN = 1.0  # planned seconds of a step while no task has told its own


@dataclass(slots=True)
class _Task:
    """A task that has started; times in seconds, ``since`` on the clock's scale."""

    steps: int
    planned: float  # seconds of one step
    since: float
    done: int = 0
    spent: float = 0.0  # seconds of the steps that are done
    wall: float | None = None  # seconds from start to end; None while it runs


class TimeLeft:
    """Estimates how long tasks of several steps still take, some of them at a time.

    What was planned gives the tasks' lengths relative to each other; how long a planned second
    really takes, and what a task needs beside its steps, is taken from those that ran.

    ``count`` is the number of tasks.

    Args:
        planned: Planned seconds of tasks that have not started, by name; may lack any.
        count: Number of tasks.
        at_a_time: Number of tasks that run at a time.
        end: Planned seconds that a task needs beside its steps.
        clock: Function that returns seconds.
    """

    def __init__(
        self,
        planned: Mapping[str, float],
        count: int,
        *,
        at_a_time: int = 1,
        end: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.count, self._waiting = count, dict(planned)
        self._at_a_time, self._end, self._clock = max(1, at_a_time), end, clock
        self._tasks: dict[str, _Task] = {}

    def start(self, name: str, steps: int, planned: float = _UNKNOWN) -> None:
        """Note that a task started; ``planned`` is the seconds of each of its steps."""
        if name not in self._tasks:
            self._waiting.pop(name, None)
            self._tasks[name] = _Task(steps=steps, planned=planned, since=self._clock())

    def step(self, name: str, done: int, seconds: float) -> None:
        """Note that a task has done a step; ``done`` counts all so far.

        A step that is noted twice counts once.
        """
        task = self._tasks[name]
        if done > task.done:
            task.done, task.spent = done, task.spent + seconds

    def finish(self, name: str) -> None:
        """Note that a task ended, whether well or not, or before it was said to have started."""
        self.start(name, steps=0)
        self._tasks[name].wall = self._clock() - self._tasks[name].since

    @property
    def seconds(self) -> float | None:
        """Return the seconds that are left; None before any step was done."""
        done = sum(task.done * task.planned for task in self._tasks.values())
        if not done:
            return None
        pace = sum(task.spent for task in self._tasks.values()) / done
        end = self._seconds_beside_steps()
        running = [task for task in self._tasks.values() if task.wall is None]
        ends = [end + pace * task.planned * (task.steps - task.done) for task in running]
        heapq.heapify(ends)
        for planned in self._pending():
            free = heapq.heappop(ends) if len(ends) >= self._at_a_time else 0.0
            heapq.heappush(ends, free + end + pace * planned)
        return max(ends, default=0.0)

    def _seconds_beside_steps(self) -> float:
        """Return what a task needs beside its steps: the mean of those that ended."""
        beside = [
            max(0.0, task.wall - task.spent)
            for task in self._tasks.values()
            if task.wall is not None and task.done
        ]
        return sum(beside) / len(beside) if beside else self._end

    def _pending(self) -> list[float]:
        """Return the planned seconds of the tasks that wait, in their order.

        One whose length is unknown counts as the mean of those that are known. Tasks that ended
        before their last step shorten what is expected of the others.
        """
        ended = [task for task in self._tasks.values() if task.wall is not None and task.done]
        all_steps = sum(task.planned * task.steps for task in ended)
        share = sum(task.planned * task.done for task in ended) / all_steps if ended else 1.0
        known = [task.planned * task.steps for task in self._tasks.values()]
        known += self._waiting.values()
        unknown = max(0, self.count - len(known))
        lengths = [*self._waiting.values(), *[sum(known) / len(known)] * unknown]
        return [length * share for length in lengths]


def about(seconds: float) -> str:
    """Return a duration in round words: ``a few seconds``, ``about 40 seconds``."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {10 * max(1, round(seconds / 10))} seconds"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


def exactly(seconds: float) -> str:
    """Return a duration in minutes and seconds, with hours if there are any."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} seconds"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"
