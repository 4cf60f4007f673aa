"""Measure the load that one driver can handle: python benchmarks/driver_limit.py [--trials 1000].

Trials that compute nothing report epochs and save files through the real trial code, Ray Tune, the
callback, the journal and MLflow. The time that the driver's process computes for each trial limits
how many trials per second one driver can handle, whatever the number of GPUs. With
``--by-reference`` the log has the place of what trials save in place of a copy.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import ray
from rich.console import Console
from rich.table import Table

from benchmarks.records import save_record
from measures.addresses import sqlite_url, store_uri
from measures.objective import OBJECTIVE, VALIDATION_F1
from models.number_formats import FLOAT32, Precision
from models.precision import describe_device
from tuning.config.loader import load_experiment
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import read_locations
from tuning.execution.context import ExecutionContext
from tuning.execution.ray_session import ray_session
from tuning.execution.trial import RESULT, TrialContext
from tuning.execution.trial_checkpoint import TrialCheckpoint, state_file
from tuning.execution.trial_spec import TrialSpec
from tuning.execution.tuner import run_specs
from tuning.system.project import ROOT
from tuning.system.storage_path import StoragePath
from tuning.tracking.delivery import Delivery
from tuning.tracking.journal import Journal
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.record import Launch, open_log

_SCORES = ("train_loss", "val_loss", "val_f1", "val_auc", "val_accuracy", "val_precision",
           "val_recall", "val_mcc", "val_positive_rate", "val_threshold",
           VALIDATION_F1)  # fmt: skip
_FINAL = 37  # number of metrics at the end of a trial
_FILES = {
    "model/classifier.safetensors": 350_000,
    "model/classifier.pt": 350_000,
    "predictions.csv": 120_000,
}  # fmt: skip - bytes, as of a head on a frozen encoder


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """Costs of a run of synthetic trials.

    ``seconds`` passed until the last trial ended, ``until_stored`` until the store had all
    ``entries`` of the log. ``busy`` are the CPU seconds of the driver's process until the last
    trial ended, ``delivery`` those after it. ``epochs`` are those of each trial.
    """

    trials: int
    epochs: int
    seconds: float
    until_stored: float
    busy: float
    delivery: float
    entries: int


def run_synthetic_trial(config: dict[str, Any], context: TrialContext) -> None:
    """Report the epochs of the configuration and save files, without computing anything."""
    spec = TrialSpec.from_point(config["point"])
    checkpoint = TrialCheckpoint(state_file(context.storage, spec), {})
    for epoch in range(1, spec.trial.epochs + 1):
        scores = {name: 1 / (epoch + number) for number, name in enumerate(_SCORES, 1)}
        checkpoint.report({"epoch": epoch, **scores, "seconds": 0.0, OBJECTIVE: 0.5})
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "model").mkdir()
        for file, size in _FILES.items():
            (folder / file).write_bytes(bytes(size))
        final = ", ".join(f'"test_{number:02d}": {1 / (1 + number)}' for number in range(_FINAL))
        (folder / RESULT).write_text("{" + final + "}")
        checkpoint.finish({OBJECTIVE: 0.5}, folder)


def settings_of(folder: Path, uri: str, *, by_reference: bool, **numbers: int) -> LaunchSettings:
    """Return the settings of a launch in a new folder.

    Args:
        folder: Parent of the launch's folder.
        uri: Tracking URI of the MLflow store.
        by_reference: Whether the log has the place of what trials save in place of a copy.
        numbers: What the launch is named after.
    """
    return LaunchSettings(
        run_name="-".join(["limit", *map(str, numbers.values())]),
        output=folder,
        shared_output=StoragePath(str(folder)),
        tracking_uri=uri,
        artifacts=folder / "artifacts",
        cache=folder,
        by_reference=by_reference,
    )


def measure(
    prepared: Prepared, settings: LaunchSettings, trials: int, epochs: int, share: float
) -> Taken:
    """Run synthetic trials in a launch of their own and return their costs; needs a Ray session.

    Args:
        prepared: Experiment whose name and first trial the launch uses.
        settings: Settings of the launch.
        trials: Number of trials.
        epochs: Number of epochs that each trial reports.
        share: Fraction of a core per trial; a small one lets many run at a time.

    Raises:
        RuntimeError: If the store did not accept the whole log.
    """
    launch = _begin(prepared, settings)
    context = ExecutionContext(
        launch=launch,
        trial_context=TrialContext(inputs={}, threads=1, storage=settings.storage),
        resources={"cpu": share},
    )
    config = prepared.trials[0].model_copy(update={"epochs": epochs})
    specs = [
        TrialSpec(name=f"{seed:05d}", trial=config.model_copy(update={"seed": seed}))
        for seed in range(trials)
    ]
    began, before = time.monotonic(), _cpu_seconds()
    run_specs(context, specs, function=run_synthetic_trial)
    seconds, busy = time.monotonic() - began, _cpu_seconds() - before
    launch.log.end_parent(failed=0, summary={})
    left = launch.delivery.close(600)
    if left:
        reason = launch.delivery.reason
        uri = settings.tracking_uri
        raise RuntimeError(f"{uri}: {left} log entries were not delivered: {reason}")
    return Taken(
        trials=trials,
        epochs=epochs,
        seconds=seconds,
        until_stored=time.monotonic() - began,
        busy=busy,
        delivery=_cpu_seconds() - before - busy,
        entries=len(launch.log.journal.entries),
    )


def _begin(prepared: Prepared, settings: LaunchSettings) -> Launch:
    """Return a launch in a new folder, whose log is being delivered."""
    settings.folder.mkdir()
    precision = Precision(FLOAT32, FLOAT32)
    log = LaunchLog(Journal(settings.folder), settings.storage if settings.by_reference else None)
    open_log(log, prepared, settings, precision)
    delivery = Delivery(log.journal, settings.tracking_uri)
    delivery.start()
    delivery.check(60)
    return Launch(prepared=prepared, settings=settings, log=log, precision=precision,
                  device=describe_device(), console=Console(quiet=True),
                  delivery=delivery)  # fmt: skip


def _cpu_seconds() -> float:
    """Return the CPU seconds that this process has used so far."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


def costs(short: Taken, long: Taken) -> dict[str, float]:
    """Return the driver's CPU milliseconds per trial and per epoch, and the measured rates.

    Args:
        short: Run of trials with few epochs.
        long: Run of as many trials with more epochs.
    """
    busy = {run.epochs: (run.busy + run.delivery) / run.trials for run in (short, long)}
    epoch = (busy[long.epochs] - busy[short.epochs]) / (long.epochs - short.epochs)
    trial = busy[short.epochs] - short.epochs * epoch
    return {
        "milliseconds_a_trial": 1000 * trial,
        "milliseconds_an_epoch": 1000 * epoch,
        "trials_a_second": short.trials / short.seconds,
        "epochs_a_second": long.trials * long.epochs / long.seconds,
        "entries_a_second": (short.entries + long.entries)
        / (short.until_stored + long.until_stored),
    }


def main() -> None:
    """Measure trials with few and with many epochs, print both, save the numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, prog="benchmarks/driver_limit.py"
    )
    parser.add_argument(
        "--trials", type=int, default=1000, help="number of trials of each of the two runs"
    )
    parser.add_argument(
        "--epochs", type=int, nargs=2, default=[1, 10], help="epochs per trial of the two runs"
    )
    parser.add_argument("--at-once", type=int, default=16, help="trials that run at a time")
    parser.add_argument(
        "--tracking-uri", type=store_uri, help="MLflow store; default: a new SQLite file"
    )
    parser.add_argument(
        "--by-reference", action="store_true", help="log the place of what trials save, no copy"
    )
    parser.add_argument(
        "--name", default="driver_limit", help="name of the file in benchmarks/results"
    )
    args = parser.parse_args()
    experiment = load_experiment(ROOT / "experiments/smoke.yaml", [])
    prepared = prepare(experiment, read_locations())
    with tempfile.TemporaryDirectory() as directory, ray_session(None):
        folder = Path(directory)
        uri = args.tracking_uri or sqlite_url(folder / "log.db")
        share = ray.cluster_resources()["CPU"] / args.at_once
        runs = []
        for epochs in args.epochs:
            numbers = {"trials": args.trials, "epochs": epochs}
            settings = settings_of(folder, uri, by_reference=args.by_reference, **numbers)
            runs.append(measure(prepared, settings, **numbers, share=share))
    found = costs(*runs)
    table = Table("epochs", "trials", "seconds", "driver's CPU s", "until stored", "entries")
    for run in runs:
        cells = (run.seconds, run.busy + run.delivery, run.until_stored, run.entries)
        table.add_row(str(run.epochs), str(run.trials), *(f"{value:.0f}" for value in cells))
    Console().print(table)
    for key, value in found.items():
        print(f"{key.replace('_', ' ')}: {value:.1f}")
    numbers = {**found, "at_once": args.at_once, "runs": [asdict(run) for run in runs]}
    print(save_record(args.name, numbers))


if __name__ == "__main__":
    main()
