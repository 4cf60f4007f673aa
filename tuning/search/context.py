"""The state of a search: its study and sampler, and the trials that a resumed one has already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FixedTrial, TrialState

from measures.metrics import make_objective
from measures.objective import SEED_MEAN, Objective
from tuning.config.search_space import SearchSettings, Space
from tuning.config.trial_values import known_before, varied_fields
from tuning.data.prepared import Prepared
from tuning.execution.outcomes import Outcome, failed, outcome_of
from tuning.execution.trial_spec import TrialSpec, trial_key
from tuning.search.sampling import STAGE, ConfigSampler
from tuning.search.startup import origin
from tuning.search.study import (
    METRICS,
    StudyError,
    announce,
    close_stale,
    joined,
    load_study,
    open_storage,
    trials_of,
    wait_for_joined,
)
from tuning.tracking.launch_folder import LaunchError
from tuning.tracking.launch_log import PARENT
from tuning.tracking.mlflow_pages import trial_title
from tuning.tracking.record import Launch
from tuning.tracking.run_record import JOINED


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search that has begun.

    Args:
        launch: The launch that it belongs to.
        settings: Settings of the search.
        study: The Optuna study that holds its trials.
        sampler: Turns what Optuna draws into trials.
        recorded_champion: JSON text of the champion that a resumed launch has recorded already;
            None if there is none.
    """

    launch: Launch
    settings: SearchSettings
    study: optuna.Study
    sampler: ConfigSampler
    recorded_champion: str | None

    @property
    def objective(self) -> Objective:
        """Return what its trials are ranked by."""
        labels = self.launch.prepared.pairs.splits["validation"].labels
        return make_objective(self.settings.objective, labels)


def open_study(prepared: Prepared, search: SearchSettings, storage: str) -> optuna.Study:
    """Return the study of a search, after creating it if it does not exist.

    Args:
        prepared: The experiment with its data and encoder.
        search: Settings of the search.
        storage: RDB URL of the study.

    Raises:
        StudyError: If the storage cannot be used, or the study belongs to another search.
    """
    name = search.study or prepared.experiment.name
    wanted = identity(prepared, search, fixed_fields(prepared))
    return load_study(open_storage(storage), name, wanted)


def identity(
    prepared: Prepared, search: SearchSettings, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what all trials of a study must have in common."""
    space: Space = prepared.experiment.space
    return {
        "space": {name: axis.model_dump(exclude_defaults=True) for name, axis in space.items()},
        "fixed": known_before({name: value for name, value in fixed.items() if name not in space}),
        "data": prepared.pairs.fingerprint,
        "encoder": prepared.encoder.fingerprint,
        "seeds": search.seeds,
        **known_before(
            {"objective": search.objective, "folds": prepared.experiment.validation.folds}
        ),
    }


def fixed_fields(prepared: Prepared) -> dict[str, Any]:
    """Return the trial of the YAML file: every field, before the search draws some of them."""
    return prepared.experiment.trial.model_dump()


def comparable(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which a trial must agree with a search that is to learn from it."""
    ignored = ("seed", "order_seed", "min_steps", "threshold_rule")
    return {name: value for name, value in fixed.items() if name not in ignored}


def open_search(
    launch: Launch,
    settings: SearchSettings,
    study: optuna.Study,
    joins: tuple[str, int] | None = None,
) -> Search:
    """Return the search of a launch, new or resumed, and note its study in the log.

    Args:
        launch: The launch.
        settings: Settings of the search.
        study: Study of the search.
        joins: Search that the launch is to join, from ``announced``; None for one of its own.

    Raises:
        LaunchError: If the launch that is resumed joined one.
    """
    prepared, log = launch.prepared, launch.log
    if log.runs[PARENT].tags["kind"] == JOINED and joins is None:
        raise LaunchError(
            f"{launch.settings.run_name}: joined another search, which has its trials; leave it "
            "with --overwrite, or join a search anew with --join"
        )
    log.tag(PARENT, {"study": study.study_name})
    leader, count = log.launch, settings.num_samples
    if joins is not None:
        leader, count = joins
        log.tag(PARENT, {"search": leader})
    else:
        announce(study, leader, count, settings.seed)
    sampler = ConfigSampler(
        space=prepared.experiment.space,
        fixed=fixed_fields(prepared),
        settings=settings,
        launch=log.launch,
        train_pairs=len(prepared.pairs.splits["train"].labels),
        votes=prepared.pairs.has_votes,
        folds=prepared.experiment.validation.folds,
        search=leader,
        count=count,
    )
    return Search(
        launch=launch,
        settings=settings,
        study=study,
        sampler=sampler,
        recorded_champion=log.runs[PARENT].tags.get("champion"),
    )


def reconcile(search: Search) -> list[Outcome]:
    """Bring study and log of a resumed launch into agreement; return its finished trials.

    A trial that either of them has a final value for is completed in the other. Trials that were
    interrupted are queued in the study, and continue from their last epoch.

    Raises:
        StudyError: If the log has trials of this launch and the study has none.
    """
    outcomes: list[Outcome] = []
    values: dict[int, float | None] = {}
    own = trials_of(search.study, search.sampler.launch)
    known = {trial.number: trial.value for trial in own}
    for run in search.launch.log.children(STAGE):
        number = int(run.tags["optuna_trial"])
        if run.status == "FAILED":
            outcomes.append(failed(run))
            values[number] = None
            continue
        metrics = run.metrics
        if SEED_MEAN not in metrics and known.get(number) is not None:
            metrics = {**run.epochs, SEED_MEAN: known[number]}
        if SEED_MEAN not in metrics:
            continue
        if run.status == "RUNNING":
            search.launch.log.settle(run.key, metrics)
        values[number] = metrics[SEED_MEAN]
        outcomes.append(outcome_of(run, metrics))
    if outcomes and not own:
        raise StudyError(
            f"study: {search.study.study_name!r} has no trial of the search that is resumed; "
            "name the storage it was started with: --storage URL"
        )
    interrupted = close_stale(search.study, search.sampler.launch, values)
    if interrupted:
        search.launch.console.print(f"{len(interrupted)} interrupted trials are resumed")
    return outcomes


def take_joined(search: Search) -> list[Outcome]:
    """Return the finished trials of joined drivers, once these have no more; log them here too."""
    log, sampler, prepared = search.launch.log, search.sampler, search.launch.prepared
    if running := joined(search.study, sampler.launch, TrialState.RUNNING):
        numbers = ", ".join(f"{trial.number:03d}" for trial in running)
        search.launch.console.print(f"Waiting for joined drivers, which train {numbers}")
    wait_for_joined(search.study, sampler.launch, prepared.experiment.report_timeout)
    outcomes = []
    for trial in joined(search.study, sampler.launch, TrialState.COMPLETE):
        metrics = trial.user_attrs.get(METRICS) or {SEED_MEAN: float(trial.value or 0)}
        spec = TrialSpec.from_point(sampler(FixedTrial(trial.params, trial.number))["point"])
        name = f"{trial.number:03d}"
        key = trial_key(STAGE, name)
        if key not in log.runs or log.runs[key].status == "RUNNING":  # cut off while logging it
            title = trial_title(spec.trial, name, spec.tags, varied_fields(prepared.trials))
            params = {**spec.trial.model_dump(), **spec.params}
            log.start_trial(key, name, params, {**spec.tags, "driver": JOINED}, title)
            log.log_outcome(key, metrics, None)
            log.end_trial(key)
        outcomes.append(Outcome(name=name, config=spec.trial, metrics=metrics, key=key))
    return outcomes


def tag_origins(search: Search) -> None:
    """Note in the log who chose each trial: the tag ``origin``, from ``startup.origin``."""
    log = search.launch.log
    origins = {trial.number: origin(trial) for trial in search.study.get_trials(deepcopy=False)}
    for run in log.children(STAGE):
        if "origin" not in run.tags:
            log.tag(run.key, {"origin": origins[int(run.tags["optuna_trial"])]})
