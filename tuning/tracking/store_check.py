"""An MLflow store before it is used: made if it is absent, asked whether it answers."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from measures.addresses import (
    AddressError,
    check_tables,
    find_moved,
    in_trash,
    sqlite_path,
    sqlite_url,
)
from tuning.system.findings import Finding, check_folder, hide_secrets
from tuning.tracking.mlflow_pages import KIND, MODEL_TRAINING, NOTE
from tuning.tracking.run_record import TrackingError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

_SECONDS = 30.0  # to import MLflow and to answer
_QUICKLY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_REQUEST_ERRORS = range(400, 500)  # HTTP codes that another try would not change
_AWAY = 3  # exit code of the other process if the store may answer later
_PROGRAM = "from tuning.tracking.store_check import ask; ask()"
_NAME = "store"
_UNUSABLE = "tracking: the MLflow store cannot be used"
_STORE_BYTES = 1_000_000  # what MLflow's empty tables take
_WAY_OUT = "name another with --tracking-uri, as sqlite:////FOLDER/mlflow.db"


def check_store(uri: str, seconds: float = _SECONDS) -> Finding:
    """Return whether the store answers; one that is away stops no grid, a wrong one does.

    A SQLite store that does not exist is not made.

    Args:
        uri: URI of the MLflow store.
        seconds: Longest wait for the answer.
    """
    shown = hide_secrets(uri)
    file = sqlite_path(uri)
    if file is not None:
        folder = check_folder(_NAME, file.parent, _WAY_OUT, needed=True)
        if folder.stops:
            return folder
        if not file.exists():
            text = f"{shown}: does not exist yet; the first launch makes it"
            return Finding(name=_NAME, text=text)
        try:
            check_tables(file, empty_passes=True)
        except AddressError as error:
            return Finding(name=_NAME, text=str(error), way_out=_WAY_OUT, stops=True)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=uri,  # not among the arguments, which other users of the machine see
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env={**os.environ, **_QUICKLY},
        )
    except subprocess.TimeoutExpired:
        return _away(shown, f"it has not answered within {seconds:g} seconds")
    lines = (ended.stdout if ended.returncode == 0 else ended.stderr).strip().splitlines()
    answer = hide_secrets(lines[-1] if lines else f"exit code {ended.returncode}")
    if ended.returncode == 0:
        return Finding(name=_NAME, text=f"{shown}: answers, {answer}")
    if ended.returncode == _AWAY:
        return _away(shown, answer)
    return Finding(
        name=_NAME, text=f"{shown}: cannot be used: {answer}", way_out=_WAY_OUT, stops=True
    )


def _away(shown: str, reason: str) -> Finding:
    way_out = (
        "start it or mend the way to it; a launch does not wait, and delivers its log when the "
        "store answers"
    )
    return Finding(name=_NAME, text=f"{shown}: does not answer: {reason}", way_out=way_out)


def ask() -> None:
    """Ask the store whose URI standard input holds; print its answer, or end with its error."""
    from mlflow.tracking import MlflowClient

    from measures.passwords import first_line
    from tuning.tracking.mlflow_reader import STORE_ERRORS

    uri = sys.stdin.read().strip()
    try:
        found = MlflowClient(tracking_uri=uri).search_experiments(max_results=1000)
    except STORE_ERRORS as error:
        sys.stderr.write(first_line(error))
        sys.exit(_AWAY if is_away(error, uri) else 1)
    sys.stdout.write(f"{len(found)} experiments")


def absent_file(uri: str) -> Path | None:
    """Return the file of a SQLite store that does not exist yet; None of any other store."""
    file = sqlite_path(uri)
    return file if file is not None and not file.exists() else None


def needed_first(uri: str) -> tuple[str, ...]:
    """Return the modules that a launch needs before it trains: MLflow's, to ask a store."""
    return () if absent_file(uri) else ("tuning.tracking.mlflow_writer",)


def make_folder(folder: Path) -> None:
    """Make the folder of a SQLite store, unless it is there.

    Raises:
        AddressError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise AddressError(
            f"{folder}: cannot be made for the log: {reason}; --tracking-uri names another"
        ) from error


def try_making(file: Path) -> None:
    """Check that a SQLite store can be made: a database of its size is, and removed again.

    MLflow takes over a second for its tables, too long to wait for.

    Raises:
        TrackingError: If it cannot be made; the message has the reason and the way out.
    """
    try:
        make_folder(file.parent)
        with (
            TemporaryDirectory(
                prefix=f".{file.name}.", dir=file.parent, ignore_cleanup_errors=True
            ) as folder,
            closing(sqlite3.connect(Path(folder) / file.name)) as database,
            database,
        ):
            database.execute("CREATE TABLE trial AS SELECT zeroblob(?)", [_STORE_BYTES])
    except AddressError as error:
        raise TrackingError(f"{_UNUSABLE}: {error}") from error
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        text = f"{_UNUSABLE}: {file}: cannot be made: {reason}; --tracking-uri names another"
        raise TrackingError(text) from error


def make_store(file: Path) -> None:
    """Create a SQLite store that does not exist, so that a killed program leaves none half made.

    MLflow creates its tables one by one, and cannot use a file that has only some of them.

    Raises:
        AddressError: If the file exists and is the database of another program.
    """
    from mlflow.tracking import MlflowClient

    if file.exists():
        check_tables(file, empty_passes=True)
        return
    beside = file.with_name(f"{file.name}.new")
    beside.unlink(missing_ok=True)
    MlflowClient(tracking_uri=sqlite_url(beside)).search_experiments(max_results=1)
    beside.rename(file)


def describe_experiment(client: MlflowClient, experiment_id: str, note: str) -> None:
    """Set the description of the experiment's page and its kind, unless it has them."""
    known = client.get_experiment(experiment_id).tags
    for name, value in ((NOTE, note), (KIND, MODEL_TRAINING)):
        if value and name not in known:
            client.set_experiment_tag(experiment_id, name, value)


def find_experiment(client: MlflowClient, opened: Mapping[str, Any], folder: Path) -> str:
    """Return MLflow's id of a launch's experiment, which is made unless the store has it.

    Args:
        client: Client of the store.
        opened: First entry of the launch's journal.
        folder: Folder of the launch.

    Raises:
        TrackingError: If the experiment is in MLflow's trash.
    """
    uri, name, artifacts = client.tracking_uri, opened["experiment"], Path(opened["artifacts"])
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise TrackingError(in_trash(name, found.experiment_id, uri))
        recorded = str(found.artifact_location)
        if find_moved(recorded, uri) is not None:  # MLflow has no way to change it
            told = "experiment '%s' was moved: its new files go to the old place, %s; another "
            logger.warning(told + "name begins one here: --set name=NAME", name, recorded)
        return found.experiment_id
    if not artifacts.parent.is_dir():  # the results were moved since the launch began
        artifacts = folder.parent / artifacts.name
    location = (artifacts / name).as_uri() if sqlite_path(uri) is not None else None
    return client.create_experiment(name, artifact_location=location)


def quiet_libraries() -> None:
    """Silence log lines of MLflow's libraries: this program reports each error itself."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # a line for each table
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a line for each retry


def is_away(error: Exception, uri: str) -> bool:
    """Return whether the store may answer later: from ``error``, it is away, slow or locked."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException) and uri.startswith("http"):
        return error.get_http_status_code() not in _REQUEST_ERRORS
    return "database is locked" in str(error)
