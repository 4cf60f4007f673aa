"""Trials that a resumed launch has behind it: their files checked, their log made whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tuning.callbacks import Outcome, trial_key
from tuning.config import config_from_params
from tuning.launch_log import LaunchLog, Recorded
from tuning.trial import RESULT
from tuning.whole_files import SUMS, DamagedError, check_sealed


def finished_trials(
    log: LaunchLog, folder: Path, stage: str, names: Iterable[str], tell: Callable[[str], None]
) -> dict[str, Outcome]:
    """Return the outcomes of a stage's trials that need not be run, by name.

    A trial whose files were altered is told of and is not among them.

    Args:
        log: Of the launch.
        folder: With a folder for each trial.
        stage: Of the trials.
        names: Of the trials.
        tell: Shows a notice.
    """
    found = {}
    for name in names:
        run = log.runs.get(trial_key(name, {"stage": stage}))
        if run is None:
            continue
        if run.status == "FAILED":
            found[name] = failed(run)
            continue
        try:
            saved = find_sealed(folder / name)
        except DamagedError as error:
            tell(f"{error}; the trial runs again")
            continue
        if saved is not None:
            found[name] = _settle(log, run, saved)
    return found


def failed(run: Recorded) -> Outcome:
    """Return the outcome of a trial that failed."""
    cause = run.tags.get("cause", "unknown").strip().split("\n")[-1]
    return outcome_of(run, {}, cause=cause)


def _settle(log: LaunchLog, run: Recorded, saved: Path) -> Outcome:
    """Return the outcome that lies in a trial's files; record what the log lacks of it."""
    metrics = json.loads((saved / RESULT).read_bytes())
    log.log_outcome(run.key, metrics, saved)
    if run.status != "FINISHED":
        log.end_trial(run.key)
    return outcome_of(run, metrics, saved)


def outcome_of(
    run: Recorded,
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
            check_sealed(saved)
            return saved
    return None


def clear(folder: Path, names: Iterable[str]) -> None:
    """Remove what trials that are to run left half done, or altered, in their folders."""
    for name in names:
        for saved in (folder / name).glob("checkpoint_*"):
            shutil.rmtree(saved)
