"""From a prepared experiment to its outcomes: share the activations, run Ray Tune, log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray import tune

from tuning.execution.callbacks import TrialLog
from tuning.execution.context import ExecutionContext
from tuning.execution.outcomes import Outcome, clear
from tuning.execution.progress import Progress
from tuning.execution.trial import run_trial
from tuning.execution.trial_checkpoint import OBJECTIVE
from tuning.system.atomic_files import DiskError, space_error
from tuning.system.storage_path import StoragePath, first_line
from tuning.tracking.journal import JournalError
from tuning.tracking.launch_folder import LaunchSettings

RETRIES = 2  # of a trial whose worker died, from where it stood


def run_points(
    context: ExecutionContext,
    points: Mapping[str, dict[str, Any]],
    stage: str = "",
    function: Callable[..., None] = run_trial,
) -> dict[str, Outcome]:
    """Run a trial for each point and return what became of each.

    Args:
        context: Where they run.
        points: What the function is given, by the trial's name in the log and as a folder:
            ``trial``, and ``tags`` for the log.
        stage: Of a search, which has a folder of its own in that of the launch.
        function: What a trial does.

    Raises:
        JournalError: If the log cannot be written any more.
    """
    given = [{"name": name, **point} for name, point in points.items()]
    clear(context.settings.folder / stage, points)
    with Progress(context.console, len(points)) as progress:
        log = TrialLog(context, progress)
        tuner = tune.Tuner(
            trainable(function, context),
            param_space={"point": tune.grid_search(given)},
            tune_config=tune.TuneConfig(
                metric=OBJECTIVE,
                mode="max",
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=run_config(log, context.settings, stage),
        )
        run_tuner(tuner, context.settings.storage)
        log.close()
    return {outcome.name: outcome for outcome in log.outcomes.values()}


def _name(trial: Any) -> str:  # noqa: ANN401 - Ray's trial
    """Return a trial's name; a closure would be written, with all it holds, for every trial."""
    return trial.config["point"]["name"]


def run_tuner(tuner: tune.Tuner, storage: StoragePath) -> None:
    """Run all trials.

    Args:
        tuner: Runs them.
        storage: Where Ray writes its own files.

    Raises:
        DiskError: If Ray cannot write its own files.
        JournalError: If the log cannot be written any more.
    """
    try:
        tuner.fit()
    except (DiskError, JournalError):
        raise
    except OSError as error:
        if not storage.is_local:
            raise DiskError(f"{storage}: cannot be written: {first_line(error)}") from error
        raise DiskError(space_error(Path(storage.uri), None, error)) from error


def trainable(function: Callable[..., None], context: ExecutionContext) -> Any:  # noqa: ANN401
    """Return the function as Ray runs it: with what is shared, and its resources."""
    given = tune.with_parameters(function, context=context.trial_context)
    return tune.with_resources(given, dict(context.resources))


def run_config(log: TrialLog, settings: LaunchSettings, stage: str) -> tune.RunConfig:
    """Return where Ray keeps results, that a failure is tried again, and stops no other trial."""
    return tune.RunConfig(
        name=stage or settings.run_name,
        storage_path=(settings.storage if stage else settings.shared_output).uri,
        callbacks=[log],
        failure_config=tune.FailureConfig(max_failures=RETRIES),
        verbose=0,
    )
