"""The Ray Tune callback that writes what trials report to the launch's log and the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import Callback, Checkpoint
from ray.tune.experiment import Trial

from measures.objective import OBJECTIVE
from tuning.config.trial_values import varied_fields
from tuning.execution.context import ExecutionContext
from tuning.execution.outcomes import Outcome
from tuning.execution.progress import Progress
from tuning.execution.trial import RESULT
from tuning.execution.trial_checkpoint import REPORT, state_file
from tuning.execution.trial_spec import TrialSpec, trial_key
from tuning.execution.watchdog import Watchdog
from tuning.system.atomic_files import DamagedError, DiskError
from tuning.system.checkpoint_file import load_epochs
from tuning.tracking.mlflow_pages import trial_title
from tuning.training.cost import epoch_seconds


class TrialLog(Callback):
    """Writes each trial to the launch's log while it runs, and keeps the outcomes.

    It also ends workers that hang. Ray swallows or wraps most errors of callbacks: the error of a
    log that cannot be written is raised where Ray lets it pass, before each step and at the end.

    Args:
        context: Shared inputs, launch and resources of the trials.
        progress: Display of the trials on the terminal.

    Attributes:
        outcomes: Outcome of each trial that was started, by Ray's trial id.
    """

    def __init__(self, context: ExecutionContext, progress: Progress) -> None:
        prepared = context.launch.prepared
        self.launch_log = context.launch.log
        self.settings = context.settings
        self._prepared, self._speed = prepared, context.speed
        self._varied = varied_fields(prepared.trials)
        self.progress = progress
        self.outcomes: dict[str, Outcome] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._full: str | None = None  # message of a trial that found the disk full
        self._watchdog = Watchdog(prepared.experiment.report_timeout)

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray pickles its callbacks, and a log cannot be pickled."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """End hanging workers, after raising the error of a full disk if log or trials had one."""
        self._raise_problem()
        for sentence in self._watchdog.end_hanging(trials):
            self.progress.notify(sentence)

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run, and record the epochs in its state file that the log lacks."""
        outcome = self._outcome_of(trial)
        self._watchdog.note_activity(trial)
        self.progress.start(outcome.name, outcome.config.epochs, self._planned(_spec_of(trial)))
        try:
            epochs = load_epochs(state_file(self.settings.storage, _spec_of(trial)))
        except DamagedError as error:
            self.progress.notify(f"{outcome.name}: {error}")
            return
        for epoch in epochs:
            best = epoch[OBJECTIVE]
            self.launch_log.log_epoch(outcome.key, epoch["epoch"], epoch_scores(epoch), best)
            self.progress.advance(outcome.name, epoch)

    def _planned(self, spec: TrialSpec) -> float:
        """Return the planned seconds of an epoch of all of a trial's seeds."""
        return max(1, len(spec.seeds)) * epoch_seconds(self._prepared, spec.trial, self._speed)

    def _raise_problem(self) -> None:
        self.launch_log.journal.raise_problem()
        if self._full is not None:
            raise DiskError(f"{self._full}; free some space, then continue with --resume")

    def _outcome_of(self, trial: Trial) -> Outcome:
        """Return the trial's outcome; the first call for a trial opens its run in the log.

        Not only ``on_trial_start`` calls it: a worker can die before Ray reports that it started.
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
        """Log an epoch; the last report of a trial has files and no epoch.

        A trial that the scheduler stops at this epoch is logged before the searcher is notified.
        """
        self._watchdog.note_activity(trial)
        if "epoch" in result and not result.get("finished"):
            (report,) = result[REPORT]
            key, best = self.outcomes[trial.trial_id].key, report[OBJECTIVE]
            self.launch_log.log_epoch(key, report["epoch"], epoch_scores(report), best)
            self.progress.advance(str(trial.custom_trial_name), report)
            self._last[trial.trial_id] = report
            if result.get("done"):
                self._log_stopped(trial.trial_id)

    def _log_stopped(self, trial_id: str) -> None:
        """Log the best scores of a trial that was stopped before its last epoch."""
        outcome, result = self.outcomes[trial_id], self._last[trial_id]
        outcome.metrics = dict(result["best"])
        self.launch_log.log_outcome(outcome.key, outcome.metrics, None)
        self.launch_log.tag(outcome.key, {"stopped": f"after epoch {result['epoch']}"})

    def close(self) -> None:
        """Close the runs of trials that were running at the time limit: Ray does not report them.

        Their outcome is what they last reported; a trial without a report has no outcome.

        Raises:
            DiskError, JournalError: If the disk was full.
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
        """Log the outcome that the trial saved; one in remote storage is first copied here."""
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
        if not outcome.metrics:  # on_checkpoint failed, and Ray swallowed its error
            outcome.cause = "its files could not be read back"
            self.progress.fail(outcome.name, outcome.cause)
        else:
            self.progress.finish(outcome.name, outcome.metrics)
        self.launch_log.end_trial(outcome.key, cause=outcome.cause)
        state_file(self.settings.storage, _spec_of(trial)).remove()

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Show that a trial is tried again from its last epoch, since its worker died.

        A full disk is not tried again: it ends the launch, which can be resumed.
        """
        outcome, cause = self._outcome_of(trial), _cause(trial).split("\n")[-1]
        if DiskError.__name__ in cause:
            self._full = cause.partition(": ")[2]
        else:
            self.progress.notify(f"{outcome.name}: is tried again ({cause})")

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run as failed, with its cause."""
        cause = _cause(trial)
        outcome = self._outcome_of(trial)
        outcome.cause = cause.split("\n")[-1]
        self.launch_log.end_trial(outcome.key, cause=cause)
        self.progress.fail(outcome.name, outcome.cause)


def epoch_scores(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the part of a trial's report that the log keeps: losses, scores and seconds."""
    names = [key for key in report if key.startswith(("train_", "val_"))]
    return {name: report[name] for name in [*names, "seconds"]}


def _spec_of(trial: Trial) -> TrialSpec:
    return TrialSpec.from_point(trial.config["point"])


def _cause(trial: Trial) -> str:
    """Return the last error that Ray wrote to the trial's error file."""
    path = trial.error_file  # not the pickle of the same error beside it: loading it runs code
    text = Path(path).read_text(encoding="utf-8") if path else "unknown"
    return text.rpartition("Failure # ")[2].partition("\n")[2].strip() or text.strip()
