"""Ray Tune set up for this project's trials, from a grid or from Optuna."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.execution import class_cache

from measures.objective import OBJECTIVE
from measures.passwords import first_line
from tuning.execution.callbacks import TrialLog
from tuning.execution.context import ExecutionContext, concurrent_trials
from tuning.execution.outcomes import Outcome, clear
from tuning.execution.progress import Progress
from tuning.execution.trial import run_trial
from tuning.execution.trial_spec import GRID, TrialSpec, read_point, stage_folder
from tuning.system.atomic_files import DiskError, space_error
from tuning.system.storage_path import StoragePath
from tuning.system.time_left import TimeLeft
from tuning.tracking.journal import JournalError
from tuning.tracking.launch_folder import LaunchSettings
from tuning.training.cost import END_SECONDS, epoch_seconds

RETRIES = 2  # number of times that a failed trial is tried again, from its last epoch

Trainable = Callable[..., None]


def run_specs(
    context: ExecutionContext,
    specs: Sequence[TrialSpec],
    stage: str = GRID,
    function: Trainable = run_trial,
) -> dict[str, Outcome]:
    """Run a trial for each specification and return the outcomes by the trials' names.

    Args:
        context: Shared inputs, launch and resources of the trials.
        specs: Specifications of the trials; every one has a name.
        stage: Stage of the trials; each but ``grid`` has a folder of its own in the launch's.
        function: Function that trains one trial.

    Raises:
        DiskError, JournalError: If results or the log cannot be written.
    """
    clear(context.settings.folder / stage_folder(stage), [spec.name for spec in specs])
    points = tune.grid_search([spec.to_text() for spec in specs])
    prepared, speed = context.launch.prepared, context.speed
    planned = {
        spec.name: spec.trial.epochs * epoch_seconds(prepared, spec.trial, speed) for spec in specs
    }
    left = expect(context, len(specs), planned)
    outcomes = fit(context, function, stage, left, param_space={"point": points})
    return {outcome.name: outcome for outcome in outcomes}


def expect(
    context: ExecutionContext, count: int, planned: Mapping[str, float] | None = None
) -> TimeLeft:
    """Return the estimate of what ``count`` trials take together.

    Args:
        context: Resources of the trials.
        count: Number of trials.
        planned: Planned seconds of those that are known, by name.
    """
    at_a_time = concurrent_trials(context)
    return TimeLeft(planned or {}, count, at_a_time=at_a_time, end=END_SECONDS)


def fit(
    context: ExecutionContext,
    function: Trainable,
    stage: str,
    left: TimeLeft,
    *,
    param_space: dict[str, Any] | None = None,
    **choices: Any,  # noqa: ANN401 - arguments of Ray's TuneConfig
) -> list[Outcome]:
    """Run trials to their ends, log and show them, and return their outcomes.

    Args:
        context: Shared inputs, launch and resources of the trials.
        function: Function that trains one trial.
        stage: Stage of the trials.
        left: Number of the trials and estimate of their time, for the display.
        param_space: Search space of Ray Tune with all trials; None if a searcher draws them.
        choices: Other arguments of ``tune.TuneConfig``: searcher, scheduler, limits, metric.

    Raises:
        DiskError, JournalError: If results or the log cannot be written.
    """
    leave_callbacks_uncounted()
    settings = context.settings
    of_stage = "" if stage == GRID else " of this stage"
    with Progress(context.launch.console, left, of_stage) as progress:
        log = TrialLog(context, progress)
        tuner = tune.Tuner(
            _trainable(function, context),
            param_space=param_space,
            tune_config=_tune_config(**choices),
            run_config=_run_config(log, settings, stage_folder(stage)),
        )
        _run(tuner, settings.storage)
        log.close()
    return list(log.outcomes.values())


def _trainable(function: Trainable, context: ExecutionContext) -> Any:  # noqa: ANN401 - Ray's own
    """Return the function as Ray runs it: with the shared inputs and its resources."""
    if context.settings.address is None:
        share_environment()
    bound = tune.with_parameters(function, context=context.trial_context)
    return tune.with_resources(bound, dict(context.resources))


def share_environment() -> None:
    """Let trials have the environment of this machine's session, as it is.

    Tune gives each trial some variables of this program, which those processes have anyway: for
    them Ray would start two Pythons for a trial, and use no process that was started ahead.
    """
    class_cache.DEFAULT_ENV_VARS.clear()
    class_cache.ENV_VARS_TO_PROPAGATE.clear()


def leave_callbacks_uncounted() -> None:
    """Let Tune count no callbacks for Ray's statistics of usage, unless the user asks for these.

    It would import all loggers that Ray knows, and MLflow with them, before the first trial.
    """
    if os.environ.get("RAY_USAGE_STATS_ENABLED") == "0":
        with suppress(ImportError):  # another version of Ray: it may take longer
            from ray.air._internal import usage

            usage.tag_callbacks = lambda callbacks: False


def _tune_config(**choices: Any) -> tune.TuneConfig:  # noqa: ANN401 - as above
    """Return Tune's settings: what trials are compared by, what they are called, ``choices``."""
    return tune.TuneConfig(
        mode="max",
        reuse_actors=True,
        trial_name_creator=_trial_name,
        trial_dirname_creator=_trial_name,
        **{"metric": OBJECTIVE, **choices},
    )


def _trial_name(trial: Any) -> str:  # noqa: ANN401 - Ray's trial
    """Return a trial's name; not a closure: Ray would pickle all that it holds for every trial."""
    point = read_point(trial.config["point"])
    return point.get("name") or f"{int(point['tags']['optuna_trial']):03d}"


def _run_config(log: TrialLog, settings: LaunchSettings, folder: str) -> tune.RunConfig:
    """Return Ray's settings: where results go, and how often a failed trial is tried again."""
    return tune.RunConfig(
        name=folder or settings.run_name,
        storage_path=(settings.storage if folder else settings.shared_output).uri,
        callbacks=[log],
        failure_config=tune.FailureConfig(max_failures=RETRIES),
        verbose=0,
    )


def _run(tuner: tune.Tuner, storage: StoragePath) -> None:
    """Run the trials; an error of the disk is raised with its path and the space needed."""
    try:
        tuner.fit()
    except (DiskError, JournalError):
        raise
    except OSError as error:
        if not storage.is_local:
            raise DiskError(f"{storage}: cannot be written: {first_line(error)}") from error
        raise DiskError(space_error(Path(storage.uri), None, error)) from error
