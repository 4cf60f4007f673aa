"""The specification of one trial: its configuration and seeds, and its name in the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuning.config.experiment import TrialConfig
from tuning.config.trial_values import known_before, trial_of

GRID = "grid"  # stage whose trials are in the launch's own folder


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialSpec:
    """One trial, as Ray sends it to a worker.

    Attributes:
        trial: Configuration of the trial.
        name: Name in the log and of the trial's folder; empty if Optuna's number is the name.
        seeds: Seeds that are trained together; empty for the configuration's own seed alone.
        params: Parameters of the run beside those of the configuration.
        tags: Tags of the run: ``stage`` outside a grid, ``of`` for the trial that is retrained,
            ``optuna_trial`` for the number in the study, ``objective`` for what ranks its trials.
    """

    trial: TrialConfig
    name: str = ""
    seeds: tuple[int, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """Return the part of the launch it belongs to: grid, search, race, confirm or ablation."""
        return self.tags.get("stage", GRID)

    def to_point(self) -> dict[str, Any]:
        """Return the trial as JSON values; empty fields are left out.

        The trial's state file is named by a hash of these values: another version of this program
        must return the same values for the same trial, or it could not resume it.
        """
        point = {
            "name": self.name,
            "seeds": list(self.seeds),
            "params": dict(self.params),
            "tags": dict(self.tags),
        }
        given = {key: value for key, value in point.items() if value}
        return {"trial": known_before(self.trial.model_dump()), **given}

    def to_text(self) -> str:
        """Return ``to_point`` as one JSON text: Ray copies all of a grid again for each trial."""
        return json.dumps(self.to_point())

    @classmethod
    def from_point(cls, point: Mapping[str, Any] | str) -> TrialSpec:
        """Return the trial from the values of ``to_point``, or from the text of ``to_text``."""
        rest = dict(read_point(point))
        trial, seeds = trial_of(rest.pop("trial")), tuple(rest.pop("seeds", ()))
        return cls(trial=trial, seeds=seeds, **rest)


def read_point(point: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """Return the values of a trial that a grid holds as text, and a search as they are."""
    return json.loads(point) if isinstance(point, str) else point


def trial_key(stage: str, name: str) -> str:
    """Return the key of a trial's run in the launch's log."""
    return f"{stage}/{name}"


def stage_folder(stage: str) -> str:
    """Return the folder of a stage's trials, within the launch's; empty for a grid."""
    return "" if stage == GRID else stage
