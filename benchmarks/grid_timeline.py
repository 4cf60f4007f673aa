"""The timeline of one grid, from its journal and from outside, in seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuning.tracking.journal import JOURNAL, read_entries
from tuning.tracking.launch_log import PARENT
from tuning.tracking.run_record import EPOCH_PREFIX

Kind = tuple[str, str]  # freezing and optimizer of a trial


@dataclass(kw_only=True, slots=True)
class TrialTimes:
    """When a trial's first epoch began, its last one was logged, and the trial ended.

    ``epochs`` are the seconds of each epoch by the trial's own clock.
    """

    kind: Kind
    begin: float = 0.0
    last_epoch: float = 0.0
    end: float = 0.0
    epochs: list[float] = field(default_factory=list)

    @property
    def between(self) -> float:
        """Return the seconds between the epochs: their state is saved, and Ray told."""
        return self.last_epoch - self.begin - sum(self.epochs)


@dataclass(kw_only=True, slots=True)
class Timeline:
    """When a grid's log was opened, its inputs copied, its states ready, and its log closed."""

    opened: float
    inputs: float
    states: float
    closed: float
    trials: list[TrialTimes]

    @property
    def first_step(self) -> float:
        """Return when the first trial began its first step."""
        return min(trial.begin for trial in self.trials)

    @property
    def last_end(self) -> float:
        """Return when the last trial ended."""
        return max(trial.end for trial in self.trials)


def read_timeline(output: Path) -> Timeline:
    """Return the timeline of the only launch in a folder of results.

    Raises:
        ValueError: If there is not exactly one, or it kept no states of frozen layers.
    """
    journals, states = [*output.glob(f"*/{JOURNAL}")], [*output.glob("activations/*.safetensors")]
    if len(journals) != 1 or not states:
        raise ValueError(
            f"{output}: has {len(journals)} launches and {len(states)} files of states"
        )
    ready = max(path.stat().st_mtime for path in states)
    return timeline_of(read_entries(journals[0]), ready)


def timeline_of(entries: Iterable[Mapping[str, Any]], states: float) -> Timeline:
    """Return the timeline that a journal tells, with the time at which states were ready."""
    opened = inputs = closed = 0.0
    trials: dict[str, TrialTimes] = {}
    for entry in entries:
        time, key = entry["time"] / 1000, entry.get("run")
        match entry:
            case {"do": "run", "run": run, "params": params} if run != PARENT:
                trials[run] = TrialTimes(kind=(params["freezing"], params["optimizer"]))
            case {"do": "run"}:
                opened = time
            case {"do": "files", "run": run} if run == PARENT:
                inputs = inputs or time
            case {"do": "metrics", "prefix": prefix, "values": values} if prefix == EPOCH_PREFIX:
                trial = trials[str(key)]
                trial.begin = trial.begin or time - values["seconds"]
                trial.last_epoch = time
                trial.epochs.append(values["seconds"])
            case {"do": "end", "run": run}:
                closed = time
                if run != PARENT:
                    trials[run].end = time
    times = {"opened": opened, "inputs": inputs or opened, "states": states, "closed": closed}
    return Timeline(**times, trials=[*trials.values()])


def waits(trials: Iterable[TrialTimes], slots: int) -> tuple[float, float]:
    """Return the seconds in which slots waited for their next trial, and were idle at the end.

    Both are sums over the slots, of which each trial takes the one that was free first.

    Args:
        trials: Trials of a grid.
        slots: Number of trials that run at a time.
    """
    order = sorted(trials, key=lambda trial: trial.begin)
    free = [order[0].begin] * slots
    waiting = 0.0
    for trial in order:
        slot = free.index(min(free))
        waiting += trial.begin - free[slot]
        free[slot] = trial.end
    return waiting, sum(max(free) - each for each in free)
