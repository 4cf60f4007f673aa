"""A search before its first trial: its study opened, warm-started or compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from measures.objective import SEED_MEAN
from tuning.config.search_space import SearchSettings, Space
from tuning.data.prepared import Prepared
from tuning.execution.outcomes import Outcome, failed, outcome_of
from tuning.search.sampling import ConfigSampler
from tuning.search.study import (
    StudyError,
    close_stale,
    load_study,
    open_storage,
    trials_of,
)
from tuning.tracking.launch_log import PARENT
from tuning.tracking.record import Launch
from tuning.training.metrics import all_positive_f1


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search that has begun: its launch, its settings, and what Optuna knows.

    ``recorded_champion`` is the champion that a launch had written down before it was interrupted.
    """

    launch: Launch
    settings: SearchSettings
    study: optuna.Study
    sampler: ConfigSampler
    recorded_champion: str | None

    @property
    def floor(self) -> float:
        """Return the validation F1 of calling every pair a paraphrase."""
        return all_positive_f1(self.launch.prepared.pairs.splits["validation"].labels)


def open_study(prepared: Prepared, search: SearchSettings, storage: str) -> optuna.Study:
    """Return the study of a search, made if it does not exist.

    Raises:
        StudyError: If it cannot be used, or belongs to another search.
    """
    name = search.study or prepared.experiment.name
    wanted = identity(prepared, search, fixed_fields(prepared))
    return load_study(open_storage(storage), name, wanted)


def open_search(launch: Launch, settings: SearchSettings, study: optuna.Study) -> Search:
    """Return the search as its log and its study have it."""
    prepared, log = launch.prepared, launch.log
    log.tag(PARENT, {"study": study.study_name})
    sampler = ConfigSampler(
        space=prepared.experiment.space,
        fixed=fixed_fields(prepared),
        settings=settings,
        launch=log.launch,
        train_pairs=len(prepared.pairs.splits["train"].labels),
        votes=prepared.pairs.has_votes,
    )
    return Search(
        launch=launch,
        settings=settings,
        study=study,
        sampler=sampler,
        recorded_champion=log.runs[PARENT].tags.get("champion"),
    )


def fixed_fields(prepared: Prepared) -> dict[str, Any]:
    """Return the fields of a trial that the search keeps as the YAML file has them."""
    return prepared.experiment.trial.model_dump()


def comparable(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which another experiment's trial must agree to be learned from."""
    apart = ("seed", "order_seed", "min_steps")
    return {name: value for name, value in fixed.items() if name not in apart}


def identity(
    prepared: Prepared, search: SearchSettings, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what all trials of a study must have in common."""
    space: Space = prepared.experiment.space
    return {
        "space": {name: axis.model_dump(exclude_defaults=True) for name, axis in space.items()},
        "fixed": {name: value for name, value in fixed.items() if name not in space},
        "data": prepared.pairs.fingerprint,
        "encoder": prepared.encoder.fingerprint,
        "seeds": search.seeds,
    }


def reconcile(search: Search) -> list[Outcome]:
    """Return the outcomes of a resumed launch's ended trials, once study and log agree.

    Those that were cut off wait in the study, to go on from where they stood.
    """
    outcomes, values = [], {}
    told = {trial.number: trial.value for trial in search.study.get_trials()}
    for run in search.launch.log.children("search"):
        if run.status == "FAILED":
            outcomes.append(failed(run))
            continue
        number = int(run.tags["optuna_trial"])
        metrics = run.metrics
        if SEED_MEAN not in metrics and told.get(number) is not None:
            metrics = {**run.epochs, SEED_MEAN: told[number]}
        if SEED_MEAN not in metrics:
            continue
        if run.status == "RUNNING":
            search.launch.log.settle(run.key, metrics)
        values[number] = metrics[SEED_MEAN]
        outcomes.append(outcome_of(run, metrics))
    if outcomes and not trials_of(search.study, search.sampler.launch):
        raise StudyError(
            f"study: {search.study.study_name!r} has no trial of the search that is resumed; "
            "name the storage it was started with: --storage URL"
        )
    cut_off = close_stale(search.study, search.sampler.launch, values)
    if cut_off:
        search.launch.console.print(f"{len(cut_off)} interrupted trials are resumed")
    return outcomes
