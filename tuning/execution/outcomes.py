"""Trials that a resumed launch has behind it: their files checked, their log made whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from measures.objective import VALIDATION_F1, is_sound
from models.checkpoint import CARD
from tuning.config.experiment import TrialConfig, config_from_params
from tuning.execution.trial import RESULT
from tuning.execution.trial_spec import stage_folder, trial_key
from tuning.system.atomic_files import SUMS, DamagedError, verify_checksums
from tuning.system.console import notify
from tuning.tracking.launch_log import LaunchLog, RunRecord
from tuning.tracking.record import Launch


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What became of a trial: final metrics, or the cause of its failure; where its files are.

    ``key`` is what the launch's log calls it.
    """

    name: str
    config: TrialConfig
    metrics: dict[str, float] = field(default_factory=dict)
    folder: Path | None = None
    key: str = ""
    cause: str | None = None

    @property
    def relative_folder(self) -> str:
        """Return the trial's folder in that of the launch: those of a grid need no stage's."""
        return self.key.removeprefix("grid/")


def finished_trials(launch: Launch, stage: str, names: Iterable[str]) -> dict[str, Outcome]:
    """Return the outcomes of a stage's trials that need not be run, by name.

    A trial whose files were altered is reported and is not among them.

    Args:
        launch: The launch that they belong to.
        stage: What the trials are for.
        names: Names of the trials.
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
            saved = find_sealed(folder / name)
        except DamagedError as error:
            notify(launch.console, f"{error}; the trial runs again")
            continue
        if saved is not None:
            found[name] = _settle(log, run, saved)
    return found


def failed(run: RunRecord) -> Outcome:
    """Return the outcome of a trial that failed."""
    cause = run.tags.get("cause", "unknown").strip().split("\n")[-1]
    return outcome_of(run, {}, cause=cause)


def _settle(log: LaunchLog, run: RunRecord, saved: Path) -> Outcome:
    """Return the outcome that lies in a trial's files; record what the log lacks of it."""
    metrics = json.loads((saved / RESULT).read_bytes())
    log.log_outcome(run.key, metrics, saved)
    if run.status != "FINISHED":
        log.end_trial(run.key)
    return outcome_of(run, metrics, saved)


def outcome_of(
    run: RunRecord,
    metrics: Mapping[str, float],
    folder: Path | None = None,
    cause: str | None = None,
) -> Outcome:
    """Return a recorded run as an outcome.

    Args:
        run: The trial's run.
        metrics: Its final ones.
        folder: Where its files are, if it left any.
        cause: Of its failure.
    """
    return Outcome(
        name=run.name,
        config=config_from_params(run.params),
        metrics=dict(metrics),
        folder=folder,
        key=run.key,
        cause=cause,
    )


def find_sealed(folder: Path) -> Path | None:
    """Return what a finished trial saved in its folder; None if it did not come so far.

    Raises:
        DamagedError: If a file of it is missing or was altered.
    """
    for saved in sorted(folder.glob("checkpoint_*"), reverse=True):
        if (saved / SUMS).exists():
            verify_checksums(saved)
            return saved
    return None


def clear(folder: Path, names: Iterable[str]) -> None:
    """Remove what trials that are to run left half done, or altered, in their folders."""
    for name in names:
        for saved in (folder / name).glob("checkpoint_*"):
            shutil.rmtree(saved)


def rank(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes best first by validation F1; collapsed, diverged, failed ones last."""

    def key(outcome: Outcome) -> tuple[bool, bool, float]:
        flagged = not is_sound(outcome.metrics)
        return outcome.cause is not None, flagged, -outcome.metrics.get(VALIDATION_F1, 0.0)

    return sorted(outcomes, key=key)


def model_folder(outcome: Outcome) -> Path | None:
    """Return the folder with the saved classifier of a finished trial."""
    folder = outcome.folder / "model" if outcome.folder else None
    return folder if folder and (folder / CARD).is_file() else None
