"""From a prepared experiment to its outcomes: share the activations, run Ray Tune, log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from models.checkpoint import CARD
from tuning.callbacks import Outcome, TrialLog
from tuning.config import TrialConfig
from tuning.finished import clear, finished_trials
from tuning.journal import JournalError
from tuning.launch_log import LaunchLog
from tuning.launch_record import keep_inputs
from tuning.launches import Settings
from tuning.places import Place, first_line
from tuning.prepare import Prepared, varied_fields
from tuning.progress import Progress, notice_on
from tuning.trial import run_trial
from tuning.trial_state import STATES
from tuning.under_way import OBJECTIVE
from tuning.whole_files import DiskError, space_error
from tuning.workshop import Workshop, open_workshop

RETRIES = 2  # of a trial whose worker died, from where it stood


def launch(
    prepared: Prepared, settings: Settings, log: LaunchLog, console: Console
) -> list[Outcome]:
    """Run every trial and return what became of each, in the order of the grid.

    A trial that fails is recorded and does not stop the others. Those that a resumed launch has
    behind it are not run again. Needs a Ray session.
    """
    names = trial_names(prepared.trials)
    points = {
        name: {"trial": trial.model_dump()}
        for name, trial in zip(names, prepared.trials, strict=True)
    }
    done = finished_trials(log, settings.folder, "grid", names, notice_on(console))
    left = {name: point for name, point in points.items() if name not in done}
    with ThreadPoolExecutor(1) as aside:
        kept = aside.submit(keep_inputs, prepared, settings.folder, log)
        shop = open_workshop(prepared, settings, log, console) if left else None
        kept.result()
    if shop is not None:
        done |= run_points(shop, left)
    outcomes = [done[name] for name in names]
    failed = sum(outcome.cause is not None for outcome in outcomes)
    best = rank(outcomes)[0].metrics if outcomes else {}
    log.end_parent(failed=failed, summary=best)
    (settings.place / STATES).remove()
    return outcomes


def run_points(
    shop: Workshop,
    points: Mapping[str, dict[str, Any]],
    stage: str = "",
    function: Callable[..., None] = run_trial,
) -> dict[str, Outcome]:
    """Run a trial for each point and return what became of each.

    Args:
        shop: Where they run.
        points: What the function is given, by the trial's name in the log and as a folder:
            ``trial``, and ``tags`` for the log.
        stage: Of a search, which has a folder of its own in that of the launch.
        function: What a trial does.

    Raises:
        JournalError: If the log cannot be written any more.
    """
    given = [{"name": name, **point} for name, point in points.items()]
    clear(shop.settings.folder / stage, points)
    with Progress(shop.console, len(points)) as progress:
        log = TrialLog(shop, progress)
        tuner = tune.Tuner(
            trainable(function, shop),
            param_space={"point": tune.grid_search(given)},
            tune_config=tune.TuneConfig(
                metric=OBJECTIVE,
                mode="max",
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=run_config(log, shop.settings, stage),
        )
        run_tuner(tuner, shop.settings.place)
        log.close()
    return {outcome.name: outcome for outcome in log.outcomes.values()}


def _name(trial: Any) -> str:  # noqa: ANN401 - Ray's trial
    """Return a trial's name; a closure would be written, with all it holds, for every trial."""
    return trial.config["point"]["name"]


def run_tuner(tuner: tune.Tuner, place: Place) -> None:
    """Run all trials.

    Args:
        tuner: Runs them.
        place: Where Ray writes its own files.

    Raises:
        DiskError: If Ray cannot write its own files.
        JournalError: If the log cannot be written any more.
    """
    try:
        tuner.fit()
    except (DiskError, JournalError):
        raise
    except OSError as error:
        if not place.is_local:
            raise DiskError(f"{place}: cannot be written: {first_line(error)}") from error
        raise DiskError(space_error(Path(place.uri), None, error)) from error


def trainable(function: Callable[..., None], shop: Workshop) -> Any:  # noqa: ANN401 - Ray's own
    """Return the function as Ray runs it: with what is shared, and its resources."""
    given = tune.with_parameters(function, shared=shop.shared)
    return tune.with_resources(given, dict(shop.resources))


def run_config(log: TrialLog, settings: Settings, stage: str) -> tune.RunConfig:
    """Return where Ray keeps results, that a failure is tried again, and stops no other trial."""
    return tune.RunConfig(
        name=stage or settings.run_name,
        storage_path=(settings.place if stage else settings.shared).uri,
        callbacks=[log],
        failure_config=tune.FailureConfig(max_failures=RETRIES),
        verbose=0,
    )


def trial_names(trials: list[TrialConfig]) -> list[str]:
    """Return a name for each trial: its number and what sets it apart; safe as a folder's name."""
    varied = varied_fields(trials)
    return [
        "-".join([f"{number:02d}", *(str(getattr(trial, field)) for field in varied)])
        for number, trial in enumerate(trials, 1)
    ]


def rank(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes best first by validation F1; collapsed, diverged, failed ones last."""

    def key(outcome: Outcome) -> tuple[bool, bool, float]:
        metrics = outcome.metrics
        flagged = bool(metrics.get("collapsed") or metrics.get("diverged"))
        return outcome.cause is not None, flagged, -metrics.get("val_f1_at_threshold", 0.0)

    return sorted(outcomes, key=key)


def model_folder(outcome: Outcome) -> Path | None:
    """Return the folder with the saved classifier of a finished trial."""
    folder = outcome.folder / "model" if outcome.folder else None
    return folder if folder and (folder / CARD).is_file() else None
