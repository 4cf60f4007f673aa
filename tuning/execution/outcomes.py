"""The outcomes of trials: their ranking, and those that a resumed launch need not run again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from measures.objective import VALIDATION_F1, is_sound
from models.checkpoint import CARD
from tuning.config.experiment import TrialConfig
from tuning.config.trial_values import config_from_params
from tuning.execution.trial import RESULT
from tuning.execution.trial_spec import stage_folder, trial_key
from tuning.system.atomic_files import SUMS, DamagedError, verify_checksums
from tuning.system.console import notify
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.record import Launch
from tuning.tracking.run_record import RunRecord


@dataclass(kw_only=True, slots=True)
class Outcome:
    """The result of a trial: its final metrics, or the cause of its failure.

    Attributes:
        name: Name of the trial.
        config: Configuration of the trial.
        metrics: Final metrics; empty until there are any.
        folder: Folder of the saved files; None if there are none.
        key: Key of the trial's run in the launch's log.
        cause: Last line of the error of a failed trial; None for any other.
    """

    name: str
    config: TrialConfig
    metrics: dict[str, float] = field(default_factory=dict)
    folder: Path | None = None
    key: str = ""
    cause: str | None = None

    @property
    def relative_folder(self) -> str:
        """Return the trial's folder, relative to the launch's; a grid has no folder of its own."""
        return self.key.removeprefix("grid/")


def finished_trials(launch: Launch, stage: str, names: Iterable[str]) -> dict[str, Outcome]:
    """Return the outcomes of a stage's trials that ended in an earlier run of the launch, by name.

    What the log lacks of them is recorded. A trial whose files are damaged is reported to the
    user and left out: it has to run again.

    Args:
        launch: Launch that the trials belong to.
        stage: Stage of the trials, ``grid`` for one.
        names: Names of the trials.

    Raises:
        JournalError: If the log cannot be written.
    """
    found, log = {}, launch.log
    folder = launch.settings.folder / stage_folder(stage)
    for name in names:
        run = log.runs.get(trial_key(stage, name))
        if run is None:
            continue
        if run.status == "FAILED":
            found[name] = failed(run)
            continue
        try:
            saved = _find_saved(folder / name)
        except DamagedError as error:
            notify(launch.console, f"{error}; the trial runs again")
            continue
        if saved is not None:
            found[name] = _settle(log, run, saved)
    return found


def _find_saved(folder: Path) -> Path | None:
    """Return the folder that a finished trial saved in its own; None if there is none.

    Raises:
        DamagedError: If a file in it is missing or was altered.
    """
    for saved in sorted(folder.glob("checkpoint_*"), reverse=True):
        if (saved / SUMS).exists():
            verify_checksums(saved)
            return saved
    return None


def _settle(log: LaunchLog, run: RunRecord, saved: Path) -> Outcome:
    """Return the outcome from a trial's saved files; record what the log lacks of it."""
    metrics = json.loads((saved / RESULT).read_bytes())
    log.log_outcome(run.key, metrics, saved)
    if run.status != "FINISHED":
        log.end_trial(run.key)
    return outcome_of(run, metrics, saved)


def failed(run: RunRecord) -> Outcome:
    """Return the outcome of a trial that failed."""
    cause = run.tags.get("cause", "unknown").strip().split("\n")[-1]
    return outcome_of(run, {}, cause=cause)


def outcome_of(
    run: RunRecord,
    metrics: Mapping[str, float],
    folder: Path | None = None,
    cause: str | None = None,
) -> Outcome:
    """Return the outcome of a recorded run.

    Args:
        run: Run of the trial.
        metrics: Final metrics.
        folder: Folder of the saved files, if there are any.
        cause: Cause of the failure, if the trial failed.
    """
    return Outcome(
        name=run.name,
        config=config_from_params(run.params),
        metrics=dict(metrics),
        folder=folder,
        key=run.key,
        cause=cause,
    )


def clear(folder: Path, names: Iterable[str]) -> None:
    """Remove incomplete or damaged checkpoints of trials that will run, from their folders."""
    for name in names:
        for saved in (folder / name).glob("checkpoint_*"):
            shutil.rmtree(saved)


def rank(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes best first by validation F1; collapsed, diverged, failed ones last."""

    def key(outcome: Outcome) -> tuple[bool, bool, float]:
        flagged = not is_sound(outcome.metrics)
        return outcome.cause is not None, flagged, -outcome.metrics.get(VALIDATION_F1, 0.0)

    return sorted(outcomes, key=key)


def best_of_modes(ranked: list[Outcome]) -> list[Outcome]:
    """Return the first outcome of each freezing mode, in the order in which the report has them.

    Args:
        ranked: Outcomes, best first.
    """
    best = {str(outcome.config.freezing): outcome for outcome in reversed(ranked)}
    places = {"all": "0", "some": "1", "none": "3"}
    return [best[mode] for mode in sorted(best, key=lambda mode: places.get(mode, f"2{mode}"))]


def model_folder(outcome: Outcome) -> Path | None:
    """Return the folder with the saved classifier of a finished trial."""
    folder = outcome.folder / "model" if outcome.folder else None
    return folder if folder and (folder / CARD).is_file() else None
