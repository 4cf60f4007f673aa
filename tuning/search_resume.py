"""A search that was interrupted: its study and its log put right, its finished trials read."""

from __future__ import annotations

from tuning.callbacks import Outcome
from tuning.finished import failed, outcome_of
from tuning.search_opening import Search
from tuning.study import StudyError, close_stale, trials_of


def put_right(search: Search) -> list[Outcome]:
    """Return the outcomes of a resumed launch's ended trials, once study and log agree.

    Those that were cut off wait in the study, to go on from where they stood.
    """
    outcomes, values = [], {}
    told = {trial.number: trial.value for trial in search.study.get_trials()}
    for run in search.launch_log.children("search"):
        if run.status == "FAILED":
            outcomes.append(failed(run))
            continue
        number = int(run.tags["optuna_trial"])
        metrics = run.metrics
        if "objective" not in metrics and told.get(number) is not None:
            metrics = {**run.epochs, "objective": told[number]}
        if "objective" not in metrics:
            continue
        if run.status == "RUNNING":
            search.launch_log.settle(run.key, metrics)
        values[number] = metrics["objective"]
        outcomes.append(outcome_of(run, metrics))
    if outcomes and not trials_of(search.study, search.proposer.launch):
        raise StudyError(
            f"study: {search.study.study_name!r} has no trial of the search that is resumed; "
            "name the storage it was started with: --storage URL"
        )
    cut_off = close_stale(search.study, search.proposer.launch, values)
    if cut_off:
        search.console.print(f"{len(cut_off)} trials were cut off and go on")
    return outcomes
