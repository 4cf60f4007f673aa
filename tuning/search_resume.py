"""A search that was interrupted: its study and its log put right, its finished trials read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tuning.callbacks import Outcome
from tuning.config import config_from_params
from tuning.logged import Logged
from tuning.search_opening import Search
from tuning.study import StudyError, close_stale, trials_of

CUT_OFF = "interrupted; its configuration runs again"


def put_right(search: Search) -> list[Outcome]:
    """Return the outcomes of a resumed launch's finished trials, once study and log agree."""
    outcomes, values = [], {}
    for run in search.tracker.children("search"):
        number = int(run.tags["optuna_trial"])
        metrics = run.metrics
        told = next((t for t in search.study.get_trials() if t.number == number), None)
        if "objective" not in metrics and told is not None and told.value is not None:
            metrics = {**run.epochs, "objective": told.value}
        if "objective" not in metrics:
            outcomes += _without_result(search, run)
            continue
        if not run.finished:
            search.tracker.settle(run.run_id, metrics)
        values[number] = metrics["objective"]
        outcomes.append(outcome_of(run, metrics))
    if outcomes and not trials_of(search.study, search.proposer.launch):
        raise StudyError(
            f"study: {search.study.study_name!r} has no trial of the search that is resumed; "
            "name the storage it was started with: --storage URL"
        )
    again = close_stale(search.study, search.proposer.launch, values)
    if again:
        search.console.print(f"{len(again)} trials were cut off and run again")
    return outcomes


def _without_result(search: Search, run: Logged) -> list[Outcome]:
    """Return the outcome of a trial that failed; none of one that was cut off, which is closed."""
    if run.failed:
        cause = run.tags.get("cause", "unknown").strip().split("\n")[-1]
        return [replace(outcome_of(run, {}), cause=cause)]
    if "cause" not in run.tags:
        search.tracker.close_interrupted(run.run_id, CUT_OFF)
    return []


def outcome_of(run: Logged, metrics: Mapping[str, float], folder: Path | None = None) -> Outcome:
    """Return a logged run as an outcome.

    Args:
        run: The trial's run.
        metrics: Its final ones.
        folder: Where its files are, if it left any.
    """
    return Outcome(
        name=run.name,
        config=config_from_params(run.params),
        metrics=dict(metrics),
        folder=folder,
        run_id=run.run_id,
    )
