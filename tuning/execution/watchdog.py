"""The watchdog that kills workers which hang, so that Ray tries their trials again."""

from __future__ import annotations

import time
from collections.abc import Iterable

import ray
from ray.tune.experiment import Trial


class Watchdog:
    """Kills the worker of a running trial that has reported nothing for too long.

    Args:
        patience: Seconds that a trial may take until its next report.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._last_activity: dict[str, float] = {}  # by trial id; seconds, monotonic clock

    def note_activity(self, trial: Trial) -> None:
        """Note that a trial started or reported just now."""
        self._last_activity[trial.trial_id] = time.monotonic()

    def end_hanging(self, trials: Iterable[Trial]) -> list[str]:
        """Kill the workers that hang; return a sentence for the user on each."""
        sentences = []
        for trial in trials:
            since = self._last_activity.get(trial.trial_id)
            actor = trial.temporary_state.ray_actor
            if trial.status != Trial.RUNNING or since is None or actor is None:
                continue
            if time.monotonic() - since > self.patience:
                del self._last_activity[trial.trial_id]
                ray.kill(actor)
                sentences.append(
                    f"{trial.custom_trial_name}: its worker reported nothing for "
                    f"{self.patience:g} seconds and was killed (report_timeout)"
                )
        return sentences
