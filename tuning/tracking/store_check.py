"""The check of an MLflow store: whether it answers, asked in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from measures.addresses import AddressError, check_tables, sqlite_path
from tuning.system.findings import Finding, check_folder, hide_secrets

_SECONDS = 30.0  # to import MLflow and to answer
_QUICKLY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_AWAY = 3  # exit code of the other process if the store may answer later
_PROGRAM = "from tuning.tracking.store_check import ask; ask()"
_NAME = "store"
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
    from tuning.tracking.mlflow_writer import is_away

    uri = sys.stdin.read().strip()
    try:
        found = MlflowClient(tracking_uri=uri).search_experiments(max_results=1000)
    except STORE_ERRORS as error:
        sys.stderr.write(first_line(error))
        sys.exit(_AWAY if is_away(error, uri) else 1)
    sys.stdout.write(f"{len(found)} experiments")
