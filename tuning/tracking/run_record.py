"""A run of a launch as the launch's journal has it, and the names of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuning.tracking.journal import Entry

# Before the names of an epoch's metrics. MLflow lists metrics by name: with a word that comes
# after "val" in the alphabet, final scores come first.
EPOCH_PREFIX = "while_training/"
EARLIER_EPOCH_PREFIX = "epoch/"  # the same in launches that an earlier version began
JOINED = "joined"  # kind of a parent run whose trials the search of another driver has too
STEP_PREFIX = "step/"  # the same for training that is counted in optimizer steps


class TrackingError(OSError):
    """An MLflow store that is unusable or lacks what was asked for; the message says which."""


@dataclass(kw_only=True, slots=True)
class RunRecord:
    """A run as the journal has it."""

    key: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    data_set: dict[str, str] | None = None  # what it was trained on, by MLflow's names of fields
    metrics: dict[str, float] = field(default_factory=dict)  # the final ones
    epochs: dict[str, float] = field(default_factory=dict)  # those of the last epoch or step
    seen: set[int] = field(default_factory=set)  # epochs or steps that are recorded
    prefix: str = ""  # before the names of those metrics
    status: str = "RUNNING"  # or FINISHED, FAILED, KILLED

    @classmethod
    def new(
        cls,
        key: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        data_set: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Return a run that is to be recorded; MLflow keeps parameters as text."""
        texts = {field: str(value) for field, value in params.items()}
        known = None if data_set is None else dict(data_set)
        return cls(key=key, name=name, params=texts, tags=dict(tags), data_set=known)

    @classmethod
    def started(cls, entry: Entry) -> RunRecord:
        """Return the run that a journal's entry starts; earlier versions wrote no data set."""
        own = {name: entry[name] for name in ("name", "params")}
        data_set = entry.get("data_set")
        return cls(key=entry["run"], tags=dict(entry["tags"]), data_set=data_set, **own)

    def take(self, entry: Entry) -> None:
        """Follow a later entry of the journal about this run."""
        match entry:
            case {"do": "metrics", "prefix": "", "values": values}:
                self.metrics |= values
            case {"do": "metrics", "prefix": "best/" | "champion/"}:
                pass  # a copy of another run's, for the launch's page
            case {"do": "metrics", "prefix": prefix, "step": step, "values": values}:
                self.epochs, self.prefix = values, prefix
                self.seen.add(step)
            case {"do": "tags", "values": values}:
                self.tags |= values
            case {"do": "end", "status": status}:
                self.status = status
