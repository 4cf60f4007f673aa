"""From a prepared experiment to its outcomes: share the activations, run Ray Tune, log."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from rich.console import Console

from models.checkpoint import CARD
from tuning.callbacks import Outcome, TrialLog
from tuning.config import TrialConfig
from tuning.launch_record import Settings, open_log
from tuning.material import Material, build_classifier, build_material
from tuning.prepare import Prepared, varied_fields
from tuning.progress import Progress
from tuning.resources import choose_precision, gpu_share, measure_peak_bytes
from tuning.tracking import Tracker
from tuning.trial import OBJECTIVE, Shared, run_trial

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where trials run, and who is told: made once a launch, inside a Ray session."""

    settings: Settings
    tracker: Tracker
    console: Console
    shared: Shared
    resources: Mapping[str, float]


def launch(prepared: Prepared, settings: Settings, console: Console) -> list[Outcome]:
    """Run every trial and return what became of each, in the order of the grid.

    A trial that fails is recorded and does not stop the others.
    """
    precision = choose_precision(prepared.experiment.precision)
    tracker = open_log(prepared, settings, precision)
    materials = build_materials(prepared, precision, settings, console)
    points = [{"trial": trial.model_dump()} for trial in prepared.trials]
    with ray_session(settings.address):
        shop = open_workshop(prepared, settings, materials, tracker, console)
        outcomes = run_points(shop, points, trial_names(prepared.trials), settings.folder)
    failed = sum(outcome.cause is not None for outcome in outcomes)
    best = rank(outcomes)[0].metrics if outcomes else {}
    tracker.end_parent(failed=failed, summary=best)
    return outcomes


def build_materials(
    prepared: Prepared, precision: str, settings: Settings, console: Console
) -> dict[int, Material]:
    """Return what trials share, by the number of frozen layers."""
    return {
        depth: build_material(prepared, depth, precision, settings.output, console)
        for depth in prepared.depths
    }


def open_workshop(
    prepared: Prepared,
    settings: Settings,
    materials: dict[int, Material],
    tracker: Tracker,
    console: Console,
) -> Workshop:
    """Put the materials where every trial finds them, once; needs a Ray session."""
    resources = trial_resources(prepared, materials)
    depths = {trial.freezing: prepared.depth_of(trial) for trial in prepared.trials}
    references = {depth: ray.put(material) for depth, material in materials.items()}
    shared = Shared(
        materials={str(freezing): references[depth] for freezing, depth in depths.items()},
        threads=int(resources["cpu"]),
    )
    return Workshop(
        settings=settings, tracker=tracker, console=console, shared=shared, resources=resources
    )


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


def trial_resources(prepared: Prepared, materials: dict[int, Material]) -> dict[str, float]:
    """Return what Ray gives each trial: a core, or a core and a measured share of a GPU."""
    gpus = ray.cluster_resources().get("GPU", 0)
    if not gpus:
        return {"cpu": 1}
    share = prepared.experiment.gpus_per_trial
    if share == "auto":
        largest = min(materials)  # the fewest frozen layers, the most that is trained
        trials = [trial for trial in prepared.trials if prepared.depth_of(trial) == largest]
        trial = max(trials, key=lambda trial: trial.batch_size)
        model = build_classifier(trial, materials[largest])
        peak = measure_peak_bytes(model, materials[largest].splits["train"], trial)
        share = gpu_share(peak, torch.cuda.get_device_properties(0).total_memory)
        torch.cuda.empty_cache()
    return {"cpu": 1, "gpu": float(share)}


@contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Start Ray here, or join the cluster at ``address``; leave no process of ours behind."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new one prints a box at verbose=0 too
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    ray.init(
        address=address or "local",
        include_dashboard=None if address else False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    # a failed trial is told in a line; Ray keeps its trace in the trial's folder
    logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()


def model_folder(outcome: Outcome) -> Path | None:
    """Return the folder with the saved classifier of a finished trial."""
    folder = outcome.folder / "model" if outcome.folder else None
    return folder if folder and (folder / CARD).is_file() else None
