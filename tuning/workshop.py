"""Where trials run: a Ray session, warm workers in it, and what all trials share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import ray
import torch
from rich.console import Console

from tuning.launch_record import Settings
from tuning.material import Material, build_classifier, build_material, without_test
from tuning.prepare import Prepared
from tuning.resources import gpu_share, measure_peak_bytes
from tuning.tracking import Tracker
from tuning.trial import Shared


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where trials run, and who is told: made once a launch, inside a Ray session."""

    settings: Settings
    tracker: Tracker
    console: Console
    shared: Shared
    resources: Mapping[str, float]


@contextmanager
def ray_session(address: str | None, preload: Sequence[str] = ()) -> Iterator[None]:
    """Start Ray here, or join the cluster at ``address``; leave no process of ours behind.

    Args:
        address: Of a running cluster, or None.
        preload: Modules that workers started here import before a trial needs them.
    """
    os.environ.setdefault("RAY_preload_python_modules", ",".join(preload))
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


def trial_modules(prepared: Prepared) -> list[str]:
    """Return what the workers import while the driver gets their data ready.

    Nothing with a GPU: such machines have many cores, and Ray starts a worker for each.
    """
    if torch.cuda.is_available():
        return []
    modules = ["sklearn.metrics", "tuning.trial", "tuning.search_trial"]
    if prepared.depths[0] < prepared.encoder.layers:
        name = prepared.encoder.architecture
        modules.append(f"transformers.models.{name}.modeling_{name}")
    return modules


def open_workshop(
    prepared: Prepared,
    settings: Settings,
    tracker: Tracker,
    console: Console,
    *,
    with_test: bool = True,
) -> Workshop:
    """Build what trials share and put it where each finds it, once; needs a Ray session.

    The driver keeps no copy.

    Args:
        prepared: The experiment.
        settings: Where it writes.
        tracker: The log.
        console: Shows the frozen layers' progress.
        with_test: Whether trials get the test split; those of a search do not.
    """
    references: dict[int, ray.ObjectRef] = {}
    resources: dict[str, float] = {}
    for depth in prepared.depths:
        material = build_material(prepared, depth, settings.output, console)
        # the fewest frozen layers come first, and train the most
        resources = resources or trial_resources(prepared, material, depth)
        references[depth] = ray.put(material if with_test else without_test(material))
    depths = {trial.freezing: prepared.depth_of(trial) for trial in prepared.trials}
    shared = Shared(
        materials={str(freezing): references[depth] for freezing, depth in depths.items()},
        threads=int(resources["cpu"]),
    )
    return Workshop(
        settings=settings, tracker=tracker, console=console, shared=shared, resources=resources
    )


def trial_resources(prepared: Prepared, material: Material, depth: int) -> dict[str, float]:
    """Return what Ray gives each trial: a core, or a core and a measured share of a GPU.

    Args:
        prepared: The experiment.
        material: Of the trials that need the most memory.
        depth: Their number of frozen layers.
    """
    gpus = ray.cluster_resources().get("GPU", 0)
    if not gpus:
        return {"cpu": 1}
    share = prepared.experiment.gpus_per_trial
    if share == "auto":
        trials = [trial for trial in prepared.trials if prepared.depth_of(trial) == depth]
        trial = max(trials, key=lambda trial: trial.batch_size)
        model = build_classifier(trial, material)
        peak = measure_peak_bytes(model, material.splits["train"], trial)
        share = gpu_share(peak, torch.cuda.get_device_properties(0).total_memory)
        torch.cuda.empty_cache()
    return {"cpu": 1, "gpu": float(share)}
