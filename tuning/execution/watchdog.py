"""Ends workers that hang: their trials are tried again, as if the workers had died."""

from __future__ import annotations

import time
from collections.abc import Iterable

import ray
from ray.tune.experiment import Trial


class Watchdog:
    """Kills the worker of a running trial that was not heard of for too long.

    Args:
        patience: Seconds without a report.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._heard: dict[str, float] = {}

    def heard(self, trial: Trial) -> None:
        """Note that a trial began or reported."""
        self._heard[trial.trial_id] = time.monotonic()

    def look(self, trials: Iterable[Trial]) -> list[str]:
        """Kill the workers that hang; return a sentence on each."""
        told = []
        for trial in trials:
            since = self._heard.get(trial.trial_id)
            actor = trial.temporary_state.ray_actor
            if trial.status != Trial.RUNNING or since is None or actor is None:
                continue
            if time.monotonic() - since > self.patience:
                del self._heard[trial.trial_id]
                ray.kill(actor)
                told.append(
                    f"{trial.custom_trial_name}: its worker reported nothing for "
                    f"{self.patience:g} seconds and was killed (report_timeout)"
                )
        return told
