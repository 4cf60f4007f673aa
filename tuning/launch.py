"""From a prepared experiment to its outcomes: share the activations, run Ray Tune, log."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from rich.console import Console

from models.checkpoint import CARD
from models.encoder_files import FILES
from tuning.callbacks import Outcome, TrialLog
from tuning.config import TrialConfig
from tuning.material import Material, build_classifier, build_material
from tuning.pair_record import write_pairs
from tuning.prepare import Prepared, varied_fields
from tuning.progress import Progress
from tuning.resources import choose_precision, gpu_share, measure_peak_bytes
from tuning.tracking import Tracker
from tuning.trial import OBJECTIVE, Shared, run_trial

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Where a launch runs and writes; every path absolute."""

    run_name: str
    output: Path
    tracking_uri: str
    artifacts: Path
    address: str | None = None
    git_commit: str = "unknown"

    @property
    def folder(self) -> Path:
        """Return the folder of this launch's results."""
        return self.output / self.run_name


def launch(prepared: Prepared, settings: Settings, console: Console) -> list[Outcome]:
    """Run every trial and return what became of each, in the order of the grid.

    A trial that fails is recorded and does not stop the others.
    """
    precision = choose_precision(prepared.experiment.precision)
    tracker = Tracker(settings.tracking_uri, prepared.experiment.name, settings.artifacts)
    tracker.start_parent(
        settings.run_name, _experiment_params(prepared, precision), _tags(prepared, settings)
    )
    keep_inputs(prepared, settings.folder, tracker)
    materials = {
        depth: build_material(prepared, depth, precision, settings.output, console)
        for depth in prepared.depths
    }
    with ray_session(settings.address):
        outcomes = _run(prepared, settings, materials, tracker, console)
    failed = sum(outcome.cause is not None for outcome in outcomes)
    best = rank(outcomes)[0].metrics if outcomes else {}
    tracker.end_parent(failed=failed, summary=best)
    return outcomes


def _run(
    prepared: Prepared,
    settings: Settings,
    materials: dict[int, Material],
    tracker: Tracker,
    console: Console,
) -> list[Outcome]:
    resources = trial_resources(prepared, materials)
    depths = {trial.freezing: prepared.depth_of(trial) for trial in prepared.trials}
    references = {depth: ray.put(material) for depth, material in materials.items()}
    shared = Shared(
        materials={str(freezing): references[depth] for freezing, depth in depths.items()},
        threads=int(resources["cpu"]),
    )
    names = trial_names(prepared.trials)
    points = [trial.model_dump() for trial in prepared.trials]
    with Progress(console, len(points)) as progress:
        log = TrialLog(tracker, progress)
        tune.Tuner(
            tune.with_resources(tune.with_parameters(run_trial, shared=shared), resources),
            param_space={"trial": tune.grid_search(points)},
            tune_config=tune.TuneConfig(
                metric=OBJECTIVE,
                mode="max",
                reuse_actors=True,
                trial_name_creator=lambda trial: names[points.index(trial.config["trial"])],
                trial_dirname_creator=lambda trial: names[points.index(trial.config["trial"])],
            ),
            run_config=tune.RunConfig(
                name=settings.run_name,
                storage_path=str(settings.output),
                callbacks=[log],
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
                failure_config=tune.FailureConfig(max_failures=0),
                verbose=0,
            ),
        ).fit()
    return sorted(log.outcomes.values(), key=lambda outcome: names.index(outcome.name))


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


def keep_inputs(prepared: Prepared, folder: Path, tracker: Tracker) -> None:
    """Keep the encoder's files and the pairs beside the trials and in the log.

    Saved models outlive a cache that way, and the report needs nothing but the log.
    """
    encoder, data = folder / "encoder", folder / "data"
    for place in (encoder, data):
        place.mkdir(parents=True, exist_ok=True)
    for name in (*FILES, "tokenizer_config.json"):
        source = prepared.encoder.folder / name
        if source.is_file():
            shutil.copyfile(source, encoder / name)
    write_pairs(data / "pairs.parquet", prepared)
    for file in (*encoder.iterdir(), *data.iterdir()):
        tracker.keep(file, file.parent.name)


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
    try:
        yield
    finally:
        ray.shutdown()


def _experiment_params(prepared: Prepared, precision: str) -> dict[str, Any]:
    fields = prepared.experiment.model_dump(exclude={"trial", "grid", "cleaning"})
    cleaning = prepared.experiment.cleaning.model_dump()
    grid = {f"grid.{axis}": values for axis, values in prepared.experiment.grid.items()}
    steps = {f"cleaning.{step}": value for step, value in cleaning.items()}
    return {**fields, **steps, **grid, "precision": precision, "trials": len(prepared.trials)}


def _tags(prepared: Prepared, settings: Settings) -> dict[str, str]:
    packages = ("mlflow", "optuna", "ray", "torch", "transformers")
    return {
        "data": prepared.data_source.name,
        "data_fingerprint": prepared.pairs.fingerprint,
        "data_folder": str(prepared.data_source.folder),
        "encoder": prepared.encoder_source.name,
        "encoder_revision": prepared.encoder_source.revision or "none",
        "encoder_fingerprint": prepared.encoder.fingerprint,
        "encoder_architecture": prepared.encoder.architecture,
        "encoder_layers": str(prepared.encoder.layers),
        "encoder_width": str(prepared.encoder.width),
        "max_tokens": str(prepared.tokens.max_tokens),
        "notices": "; ".join(prepared.notices) or "none",
        "git_commit": settings.git_commit,
        "results": str(settings.folder),
        "python_version": platform.python_version(),
        **{f"{package}_version": version(package) for package in packages},
    }


def model_folder(outcome: Outcome) -> Path | None:
    """Return the folder with the saved classifier of a finished trial."""
    folder = outcome.folder / "model" if outcome.folder else None
    return folder if folder and (folder / CARD).is_file() else None
