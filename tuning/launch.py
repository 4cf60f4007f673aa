"""From a prepared experiment to its outcomes: share the activations, run Ray Tune, log."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from models.checkpoint import CARD
from tuning.callbacks import Outcome, TrialLog
from tuning.config import TrialConfig
from tuning.launch_record import Settings, keep_inputs, open_log
from tuning.prepare import Prepared, varied_fields
from tuning.progress import Progress
from tuning.trial import OBJECTIVE, run_trial
from tuning.workshop import Workshop, open_workshop


def launch(prepared: Prepared, settings: Settings, console: Console) -> list[Outcome]:
    """Run every trial and return what became of each, in the order of the grid.

    A trial that fails is recorded and does not stop the others. Needs a Ray session.
    """
    tracker = open_log(prepared, settings)
    points = [{"trial": trial.model_dump()} for trial in prepared.trials]
    with ThreadPoolExecutor(1) as aside:
        kept = aside.submit(keep_inputs, prepared, settings.folder, tracker)
        shop = open_workshop(prepared, settings, tracker, console)
        kept.result()
    outcomes = run_points(shop, points, trial_names(prepared.trials), settings.folder)
    failed = sum(outcome.cause is not None for outcome in outcomes)
    best = rank(outcomes)[0].metrics if outcomes else {}
    tracker.end_parent(failed=failed, summary=best)
    return outcomes


def run_points(
    shop: Workshop, points: list[dict[str, Any]], names: list[str], folder: Path
) -> list[Outcome]:
    """Run a trial for each point and return what became of each, in the same order.

    Args:
        shop: Where they run.
        points: What ``run_trial`` is given: ``trial``, and ``tags`` for the log.
        names: Of the trials, in the log and as folders.
        folder: Gets the results.
    """
    with Progress(shop.console, len(points)) as progress:
        log = TrialLog(shop.tracker, progress)
        tune.Tuner(
            trainable(run_trial, shop),
            param_space={"point": tune.grid_search(points)},
            tune_config=tune.TuneConfig(
                metric=OBJECTIVE,
                mode="max",
                reuse_actors=True,
                trial_name_creator=lambda trial: names[points.index(trial.config["point"])],
                trial_dirname_creator=lambda trial: names[points.index(trial.config["point"])],
            ),
            run_config=run_config(log, folder),
        ).fit()
    return sorted(log.outcomes.values(), key=lambda outcome: names.index(outcome.name))


def trainable(function: Callable[..., None], shop: Workshop) -> Any:  # noqa: ANN401 - Ray's own
    """Return the function as Ray runs it: with what is shared, and its resources."""
    given = tune.with_parameters(function, shared=shop.shared)
    return tune.with_resources(given, dict(shop.resources))


def run_config(log: TrialLog, folder: Path) -> tune.RunConfig:
    """Return where Ray keeps results, and that a trial's failure stops no other."""
    return tune.RunConfig(
        name=folder.name,
        storage_path=str(folder.parent),
        callbacks=[log],
        checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
        failure_config=tune.FailureConfig(max_failures=0),
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
