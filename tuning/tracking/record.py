"""The record of a launch: its parent run with parameters, tags and inputs, and its delivery."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from rich.console import Console

from measures.objective import RANKED_BY
from measures.passwords import hide_passwords
from models.encoder_files import TOKENIZER_CONFIG
from models.number_formats import Precision
from models.parameter_counts import encoder_parameters
from models.precision import DeviceProperties
from tuning.config.trial_values import known_before, varied_fields
from tuning.data.prepared import Prepared
from tuning.data.snapshot import describe_data, write_pairs
from tuning.system.atomic_files import atomic_copy
from tuning.system.console import notify
from tuning.tracking.delivery import PATIENCE, Delivery
from tuning.tracking.journal import Journal, earlier_journals
from tuning.tracking.launch_folder import LaunchSettings, lock_launch
from tuning.tracking.launch_log import PARENT, LaunchLog
from tuning.tracking.mlflow_pages import EXPERIMENT, NOTE, View, describe_launch, source_tags
from tuning.tracking.resume import launch_command, launch_precision, plain, refuse_changes
from tuning.tracking.run_record import JOINED, TrackingError
from tuning.tracking.store_check import try_making

_SCRIPTS = {False: "tuning/run_grid.py", True: "tuning/run_search.py"}  # True: of a search
_FIRST_ANSWER = 5.0  # seconds that a launch waits for its store before it starts without it


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A launch that has started.

    Attributes:
        prepared: Experiment with its trials, data and encoder.
        settings: Locations that the launch writes to.
        log: Log of the launch.
        precision: Number formats that the encoder's layers compute in.
        device: What trials run on.
        console: Terminal for notices and results.
        delivery: Delivery of the log to MLflow.
    """

    prepared: Prepared
    settings: LaunchSettings
    log: LaunchLog
    precision: Precision
    device: DeviceProperties
    console: Console
    delivery: Delivery


@contextmanager
def recording(
    prepared: Prepared, settings: LaunchSettings, console: Console, device: DeviceProperties
) -> Iterator[Launch]:
    """Start or resume a launch, and deliver its log to MLflow while the block runs and at its end.

    Args:
        prepared: Experiment with its data and encoder.
        settings: Locations that the launch writes to.
        console: Terminal for notices and results.
        device: What trials run on.

    Raises:
        LaunchError: If another program uses the folder, or the launch is resumed with another
            experiment, data set or encoder.
        TrackingError: If the store is unusable; the folder of a new launch is removed then.
        JournalError: If the journal cannot be read or written.
    """
    with lock_launch(settings.folder):
        saved_at = settings.storage if settings.by_reference else None
        log = LaunchLog(Journal(settings.folder), saved_at)
        wanted = prepared.experiment.precision
        precision = launch_precision(wanted, log, settings.cache, console, device)
        open_log(log, prepared, settings, precision)
        with delivering(log, settings, console) as delivery:
            places = {"settings": settings, "log": log, "console": console, "device": device}
            try:
                yield Launch(prepared=prepared, delivery=delivery, precision=precision, **places)
            except BaseException:
                if len(log.runs) == 1:  # no trial was started: there is nothing to resume
                    log.give_up("ended before its first trial")
                raise


@contextmanager
def delivering(log: LaunchLog, settings: LaunchSettings, console: Console) -> Iterator[Delivery]:
    """Deliver the log to MLflow while the block runs and at its end.

    Entries of earlier launches in the same output folder that wait for this store come first.

    Raises:
        TrackingError: If the store is unusable; the folder of a new launch is removed then.
    """
    known = earlier_journals(settings.output, settings.tracking_uri)
    earlier = [journal for journal in known if journal.folder != settings.folder]
    delivery = Delivery(log.journal, settings.tracking_uri, earlier)
    try:
        if delivery.making:
            try_making(delivery.making)
        delivery.start()
        reason = delivery.check(0 if delivery.making else _FIRST_ANSWER)
        for sentence in filter(None, (reason, delivery.lost(settings.deliver_command))):
            notify(console, sentence)
    except TrackingError:
        if delivery.is_alive():
            delivery.close(0)
        if not settings.resumed:
            shutil.rmtree(settings.folder)
        raise
    patience = PATIENCE
    try:
        yield delivery
    except BaseException:
        patience = _FIRST_ANSWER  # after an error or Ctrl-C, the user waits for the end
        raise
    finally:
        left = _close(delivery, settings, patience)
        lost = delivery.lost(settings.deliver_command)
        for sentence in filter(None, (left, lost, *delivery.refused)):
            notify(console, sentence)


def _close(delivery: Delivery, settings: LaunchSettings, patience: float) -> str | None:
    """End the delivery; return how to deliver the entries that the store lacks, None if none."""
    left = delivery.close(patience)
    if not left:
        return None
    return (
        f"{delivery.reason}; {left} entries wait in {delivery.journal.path}: the next launch "
        f"delivers them, or {settings.deliver_command}"
    )


def open_log(
    log: LaunchLog, prepared: Prepared, settings: LaunchSettings, precision: Precision
) -> None:
    """Write the first entry and the parent run of a new launch; check that a resumed one is equal.

    Raises:
        LaunchError: If the launch was started with another experiment, data set or encoder.
        JournalError: If the journal cannot be written.
    """
    wanted = plain(_identity(prepared, precision))
    refuse_changes(log, wanted, "start another launch with --overwrite")
    if not log.journal.entries:
        uri = hide_passwords(settings.tracking_uri)
        log.open(prepared.experiment.name, settings.artifacts, uri, wanted, EXPERIMENT)
    if PARENT not in log.runs:
        params = _experiment_params(prepared, precision)
        tags = _tags(prepared, settings)
        note = describe_launch(tags, params["trials"])
        data_set = describe_data(prepared)
        kind = JOINED if settings.join else "experiment"
        log.start_parent(settings.run_name, params, {**tags, NOTE: note}, kind, data_set)
    log.keep_view(_view(prepared))


def _view(prepared: Prepared) -> View:
    """Return how MLflow's page shows the trials: the fields that differ, best first."""
    if (search := prepared.experiment.search) is None:
        return View(varied=varied_fields(prepared.trials))
    return View(varied=list(prepared.experiment.space), ranked_by=RANKED_BY[search.objective])


def _identity(prepared: Prepared, precision: Precision) -> dict[str, Any]:
    """Return the values that must be the same when a launch is resumed."""
    fields = prepared.experiment.model_dump(exclude={"data", "encoder", "precision"})
    return {
        "experiment": known_before(fields),
        "data": prepared.pairs.fingerprint,
        "encoder": prepared.encoder.fingerprint,
        "precision": str(precision),
    }


def keep_inputs(launch: Launch) -> None:
    """Copy the encoder's files and the pairs into the launch's folder, and record them in its log.

    Saved models then do not depend on a cache, and the report needs nothing but the log.

    Raises:
        DiskError, JournalError: If the disk is full or cannot be written.
    """
    folder = launch.settings.folder
    encoder, data = folder / "encoder", folder / "data"
    found = launch.prepared.encoder
    for name in dict.fromkeys((*found.files, TOKENIZER_CONFIG)):
        source = found.folder / name
        if source.is_file():
            atomic_copy(source, encoder / name)
    write_pairs(data / "pairs.parquet", launch.prepared)
    for file in (*encoder.glob("[!.]*"), *data.glob("[!.]*")):
        launch.log.keep(file, file.parent.name)


def _experiment_params(prepared: Prepared, precision: Precision) -> dict[str, Any]:
    elsewhere = {"trial", "grid", "cleaning", "search", "space", "validation"}
    fields = prepared.experiment.model_dump(exclude=elsewhere)
    cleaning = prepared.experiment.cleaning.model_dump()
    grid = {f"grid.{axis}": values for axis, values in prepared.experiment.grid.items()}
    steps = {f"cleaning.{step}": value for step, value in cleaning.items()}
    trials = {"precision": str(precision), "trials": len(prepared.trials)}
    return {**fields, **steps, **grid, **trials, **_search_params(prepared)}


def _search_params(prepared: Prepared) -> dict[str, Any]:
    """Return the parameters that a search adds; its ``trials`` is the number of configurations."""
    if (search := prepared.experiment.search) is None:
        return {}
    experiment = prepared.experiment
    settings = {f"search.{name}": value for name, value in search.model_dump().items()}
    settings["validation.folds"] = experiment.validation.folds
    axes = experiment.space.items()
    space = {f"space.{name}": axis.model_dump(exclude_defaults=True) for name, axis in axes}
    return {"search": "optuna", **settings, **space, "trials": search.num_samples}


def _tags(prepared: Prepared, settings: LaunchSettings) -> dict[str, str]:
    packages = ("mlflow", "optuna", "ray", "torch", "transformers")
    sizes = ("fingerprint", "architecture", "layers", "width")
    return {
        "data": prepared.data_source.name,
        "data_fingerprint": prepared.pairs.fingerprint,
        "data_folder": str(prepared.data_source.folder),
        "encoder": prepared.encoder_source.name,
        "encoder_revision": prepared.encoder_source.revision or "none",
        **{f"encoder_{name}": str(getattr(prepared.encoder, name)) for name in sizes},
        "encoder_parameters": str(encoder_parameters(prepared.encoder) or "unknown"),
        "max_tokens": str(prepared.tokens.max_tokens),
        "notices": "; ".join(prepared.notices) or "none",
        "notice_details": "; ".join(prepared.details) or "none",
        "git_commit": settings.git_commit,
        "command": launch_command(),
        **source_tags(_SCRIPTS[prepared.experiment.search is not None], settings.git_commit),
        "results": str(settings.folder),
        "python_version": platform.python_version(),
        **{f"{package}_version": version(package) for package in packages},
    }
