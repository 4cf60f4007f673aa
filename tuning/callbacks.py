"""Ray tells the driver what trials do; here it goes to the log and to the screen."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.tune import Callback, Checkpoint
from ray.tune.experiment import Trial

from tuning.config import TrialConfig
from tuning.progress import Progress
from tuning.tracking import Tracker
from tuning.trial import OBJECTIVE, RESULT

logger = logging.getLogger(__name__)

_RAY_KEYS = {OBJECTIVE, "finished", "epoch", "training_iteration", "done", "pid", "timestamp"}


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What became of a trial: final metrics, or the cause of its failure; where its files are."""

    name: str
    config: TrialConfig
    metrics: dict[str, float] = field(default_factory=dict)
    folder: Path | None = None
    run_id: str = ""
    cause: str | None = None


class TrialLog(Callback):
    """Writes each trial to MLflow as it goes, and keeps the outcomes.

    Args:
        tracker: The log.
        progress: The live table.
    """

    def __init__(self, tracker: Tracker, progress: Progress) -> None:
        self.tracker = tracker
        self.progress = progress
        self.outcomes: dict[str, Outcome] = {}
        self._last: dict[str, dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray pickles its callbacks, and a database cannot be."""
        return {}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run."""
        outcome = self._outcome_of(trial)
        self.progress.start(outcome.name, outcome.config.epochs)

    def _outcome_of(self, trial: Trial) -> Outcome:
        """Return the trial's outcome, with a run in the log from the first time on.

        A worker can die before Ray says that its trial starts.
        """
        if trial.trial_id not in self.outcomes:
            point = trial.config["point"]
            config = TrialConfig(**point["trial"])
            params = {**config.model_dump(), **point.get("params", {})}
            name = str(trial.custom_trial_name)
            self.tracker.start_trial(trial.trial_id, name, params, point.get("tags", {}))
            run_id = self.tracker.run_id(trial.trial_id)
            self.outcomes[trial.trial_id] = Outcome(name=name, config=config, run_id=run_id)
        return self.outcomes[trial.trial_id]

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """Log an epoch; the last report brings files and no epoch.

        A trial that a scheduler ends with this epoch is logged before the searcher hears of it.
        """
        if "epoch" in result and not result.get("finished"):
            names = [key for key in result if key.startswith(("train_", "val_"))]
            metrics = {name: result[name] for name in [*names, "seconds"]}
            self.tracker.log_epoch(trial.trial_id, result["epoch"], metrics)
            self.progress.advance(str(trial.custom_trial_name), result["epoch"], result[OBJECTIVE])
            self._last[trial.trial_id] = result
            if result.get("done"):
                self._log_stopped(trial.trial_id)

    def _log_stopped(self, trial_id: str) -> None:
        """Log what a trial of a search had reached when it was stopped."""
        outcome, result = self.outcomes[trial_id], self._last[trial_id]
        outcome.metrics = dict(result["best"])
        self.tracker.log_outcome(trial_id, outcome.metrics, None)
        self.tracker.tag(outcome.run_id, {"stopped": f"after epoch {result['epoch']}"})

    def close_open(self) -> None:
        """Close the runs of trials that were running when the time was up: Ray says nothing.

        What they last reported is what they reached; without a report there is no outcome.
        """
        for trial_id, outcome in list(self.outcomes.items()):
            if outcome.metrics or outcome.cause is not None:
                continue
            if trial_id in self._last:
                self._log_stopped(trial_id)
                self.tracker.end_trial(trial_id)
            else:
                self.tracker.close_interrupted(outcome.run_id, "no time for its first epoch")
                del self.outcomes[trial_id]

    def on_checkpoint(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        checkpoint: Checkpoint,
        **info: Any,
    ) -> None:
        """Log the outcome that the trial saved."""
        outcome = self._outcome_of(trial)
        with checkpoint.as_directory() as folder:
            outcome.folder = Path(folder)
            outcome.metrics = json.loads((outcome.folder / RESULT).read_bytes())
            self.tracker.log_outcome(trial.trial_id, outcome.metrics, outcome.folder)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run."""
        outcome = self._outcome_of(trial)
        self.tracker.end_trial(trial.trial_id)
        self.progress.finish(outcome.name, outcome.metrics)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run as failed, with its cause."""
        error = trial.get_pickled_error()
        cause = str(error or trial.error_file or "unknown").strip()
        outcome = self._outcome_of(trial)
        outcome.cause = cause.split("\n")[-1]
        self.tracker.end_trial(trial.trial_id, cause=cause)
        self.progress.fail(outcome.name, outcome.cause)
