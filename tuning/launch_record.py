"""What the log keeps of a launch: what was asked for, with which versions, data and encoder."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.encoder_files import FILES
from tuning.pair_record import write_pairs
from tuning.prepare import Prepared
from tuning.resources import choose_precision
from tuning.tracking import Tracker


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


def open_log(prepared: Prepared, settings: Settings) -> Tracker:
    """Return the log with the parent run of this launch."""
    precision = choose_precision(prepared.experiment.precision)
    tracker = Tracker(settings.tracking_uri, prepared.experiment.name, settings.artifacts)
    params = _experiment_params(prepared, precision)
    tracker.start_parent(settings.run_name, params, _tags(prepared, settings))
    return tracker


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


def _experiment_params(prepared: Prepared, precision: str) -> dict[str, Any]:
    elsewhere = {"trial", "grid", "cleaning", "search", "space"}
    fields = prepared.experiment.model_dump(exclude=elsewhere)
    cleaning = prepared.experiment.cleaning.model_dump()
    grid = {f"grid.{axis}": values for axis, values in prepared.experiment.grid.items()}
    steps = {f"cleaning.{step}": value for step, value in cleaning.items()}
    trials = {"precision": precision, "trials": len(prepared.trials)}
    return {**fields, **steps, **grid, **trials, **_search_params(prepared)}


def _search_params(prepared: Prepared) -> dict[str, Any]:
    """Return what a search adds, or changes: ``trials`` is the number of configurations."""
    search = prepared.experiment.search
    if search is None:
        return {}
    settings = {f"search.{name}": value for name, value in search.model_dump().items()}
    space = {
        f"space.{name}": axis.model_dump(exclude_defaults=True)
        for name, axis in prepared.experiment.space.items()
    }
    return {"search": "optuna", **settings, **space, "trials": search.num_samples}


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
