"""What one trial is given: its configuration, its seeds, and what the log says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuning.config.experiment import TrialConfig

GRID = "grid"  # the stage whose trials lie in the launch's own folder


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialSpec:
    """One trial, as Ray carries it to a worker.

    Args:
        trial: The configuration.
        name: Name in the log and of the trial's folder; empty where Optuna's number gives it.
        seeds: Seeds that are trained together; none for a trial of the configuration's own seed.
        params: Parameters that the log has beside the configuration.
        tags: Tags of the trial's run: ``stage`` if it is not of a grid, ``of`` for what is
            retrained, ``optuna_trial`` for the number in the study.
    """

    trial: TrialConfig
    name: str = ""
    seeds: tuple[int, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """Return what the trial is for: ``grid``, ``search``, ``confirm`` or ``ablation``."""
        return self.tags.get("stage", GRID)

    def to_point(self) -> dict[str, Any]:
        """Return JSON values without what is empty.

        The name of the trial's state file is a hash of them: the same trial, written by another
        version of this program, has to give the same values.
        """
        point = {
            "name": self.name,
            "seeds": list(self.seeds),
            "params": dict(self.params),
            "tags": dict(self.tags),
        }
        return {"trial": self.trial.model_dump(), **{k: v for k, v in point.items() if v}}

    @classmethod
    def from_point(cls, point: Mapping[str, Any]) -> TrialSpec:
        """Return the trial that ``to_point`` wrote."""
        rest = {key: value for key, value in point.items() if key != "trial"}
        seeds = tuple(rest.pop("seeds", ()))
        return cls(trial=TrialConfig(**point["trial"]), seeds=seeds, **rest)


def trial_key(stage: str, name: str) -> str:
    """Return what a launch's log calls a trial."""
    return f"{stage}/{name}"


def stage_folder(stage: str) -> str:
    """Return the folder of a stage's trials in that of the launch: a grid's needs none."""
    return "" if stage == GRID else stage
