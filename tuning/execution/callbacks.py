"""Ray tells the driver what trials do; here it goes to the log and to the screen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import Callback, Checkpoint
from ray.tune.experiment import Trial

from measures.objective import OBJECTIVE
from tuning.config.experiment import varied_fields
from tuning.execution.context import ExecutionContext
from tuning.execution.outcomes import Outcome
from tuning.execution.progress import Progress
from tuning.execution.trial import RESULT
from tuning.execution.trial_checkpoint import state_file
from tuning.execution.trial_spec import TrialSpec, trial_key
from tuning.execution.watchdog import Watchdog
from tuning.system.atomic_files import DamagedError, DiskError
from tuning.system.checkpoint_file import load_epochs
from tuning.tracking.mlflow_pages import trial_title

NEWLINE = "\n"


def epoch_scores(result: Mapping[str, Any]) -> dict[str, float]:
    """Return what the log keeps of what a trial reported of an epoch."""
    names = [key for key in result if key.startswith(("train_", "val_"))]
    return {name: result[name] for name in [*names, "seconds"]}


class TrialLog(Callback):
    """Writes each trial to the launch's log as it goes, keeps the outcomes, ends what hangs.

    Ray swallows or wraps what its callbacks raise: a log that cannot be written is raised where
    it does not, before its next step and at the end.

    Args:
        context: Where the trials run and are recorded.
        progress: The live table.
    """

    def __init__(self, context: ExecutionContext, progress: Progress) -> None:
        prepared = context.launch.prepared
        self.launch_log = context.launch.log
        self.settings = context.settings
        self._varied = varied_fields(prepared.trials)
        self.progress = progress
        self.outcomes: dict[str, Outcome] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._full: str | None = None  # what a trial met of a full disk
        self._watchdog = Watchdog(prepared.experiment.report_timeout)

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray pickles its callbacks, and a log cannot be."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Raise what log or trials met of a disk that is full, and end workers that hang."""
        self._raise_problem()
        for sentence in self._watchdog.look(trials):
            self.progress.tell(sentence)

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run, and record what it did before and its driver has not heard of."""
        outcome = self._outcome_of(trial)
        self._watchdog.heard(trial)
        self.progress.start(outcome.name, outcome.config.epochs)
        try:
            epochs = load_epochs(state_file(self.settings.storage, _spec_of(trial)))
        except DamagedError as error:
            self.progress.tell(f"{outcome.name}: {error}")
            return
        for epoch in epochs:
            self.launch_log.log_epoch(outcome.key, epoch["epoch"], epoch_scores(epoch))
            self.progress.advance(outcome.name, epoch["epoch"], epoch[OBJECTIVE])

    def _raise_problem(self) -> None:
        self.launch_log.journal.raise_problem()
        if self._full is not None:
            raise DiskError(f"{self._full}; free some space, then --resume goes on")

    def _outcome_of(self, trial: Trial) -> Outcome:
        """Return the trial's outcome, with a run in the log from the first time on.

        A worker can die before Ray says that its trial starts.
        """
        if trial.trial_id not in self.outcomes:
            spec, name = _spec_of(trial), str(trial.custom_trial_name)
            key = trial_key(spec.stage, name)
            params = {**spec.trial.model_dump(), **spec.params}
            title = trial_title(spec.trial, name, spec.tags, self._varied)
            self.launch_log.start_trial(key, name, params, spec.tags, title)
            self.outcomes[trial.trial_id] = Outcome(name=name, config=spec.trial, key=key)
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
        self._watchdog.heard(trial)
        if "epoch" in result and not result.get("finished"):
            key = self.outcomes[trial.trial_id].key
            self.launch_log.log_epoch(key, result["epoch"], epoch_scores(result))
            self.progress.advance(str(trial.custom_trial_name), result["epoch"], result[OBJECTIVE])
            self._last[trial.trial_id] = result
            if result.get("done"):
                self._log_stopped(trial.trial_id)

    def _log_stopped(self, trial_id: str) -> None:
        """Log what a trial of a search had reached when it was stopped."""
        outcome, result = self.outcomes[trial_id], self._last[trial_id]
        outcome.metrics = dict(result["best"])
        self.launch_log.log_outcome(outcome.key, outcome.metrics, None)
        self.launch_log.tag(outcome.key, {"stopped": f"after epoch {result['epoch']}"})

    def close(self) -> None:
        """Close the runs of trials that were running when the time was up: Ray says nothing.

        What they last reported is what they reached; without a report there is no outcome.

        Raises:
            DiskError, JournalError: If the disk was full at the end.
        """
        self._raise_problem()
        for trial_id, outcome in list(self.outcomes.items()):
            if outcome.metrics or outcome.cause is not None:
                continue
            if trial_id in self._last:
                self._log_stopped(trial_id)
                self.launch_log.end_trial(outcome.key)
            else:
                self.launch_log.close_interrupted(outcome.key, "no time for its first epoch")
                del self.outcomes[trial_id]

    def on_checkpoint(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        checkpoint: Checkpoint,
        **info: Any,
    ) -> None:
        """Log the outcome that the trial saved, from a copy if it lies on no disk of ours."""
        outcome = self._outcome_of(trial)
        folder = Path(checkpoint.path)
        if not self.settings.shared_output.is_local:
            folder = self.settings.folder / outcome.relative_folder / folder.name
            checkpoint.to_directory(folder)
        outcome.folder = folder
        outcome.metrics = json.loads((folder / RESULT).read_bytes())
        self.launch_log.log_outcome(outcome.key, outcome.metrics, folder)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run."""
        outcome = self._outcome_of(trial)
        if not outcome.metrics:  # Ray tells of a checkpoint and swallows what comes of it
            outcome.cause = "its files could not be read back"
            self.progress.fail(outcome.name, outcome.cause)
        else:
            self.progress.finish(outcome.name, outcome.metrics)
        self.launch_log.end_trial(outcome.key, cause=outcome.cause)
        state_file(self.settings.storage, _spec_of(trial)).remove()

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Say that a trial whose worker died goes on from where it stood.

        A full disk will be no less so: it ends the launch, to be resumed.
        """
        outcome, cause = self._outcome_of(trial), _cause(trial).split(NEWLINE)[-1]
        if DiskError.__name__ in cause:
            self._full = cause.partition(": ")[2]
        else:
            self.progress.tell(f"{outcome.name}: is tried again ({cause})")

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run as failed, with its cause."""
        cause = _cause(trial)
        outcome = self._outcome_of(trial)
        outcome.cause = cause.split(NEWLINE)[-1]
        self.launch_log.end_trial(outcome.key, cause=cause)
        self.progress.fail(outcome.name, outcome.cause)


def _spec_of(trial: Trial) -> TrialSpec:
    return TrialSpec.from_point(trial.config["point"])


def _cause(trial: Trial) -> str:
    """Return what Ray wrote down of the trial's last failure."""
    path = trial.error_file  # beside it lies a pickle of the same, which nobody should load
    text = Path(path).read_text(encoding="utf-8") if path else "unknown"
    return text.rpartition("Failure # ")[2].partition(NEWLINE)[2].strip() or text.strip()
