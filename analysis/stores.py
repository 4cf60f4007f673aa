"""Opening of an MLflow store for reading, with an explanation in one sentence if that fails."""

from __future__ import annotations

from pathlib import Path

from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from measures.passwords import first_line, hide_passwords

_SERVERS = ("postgresql", "mysql", "mssql")


class StoreError(ValueError):
    """The store, or something that is needed from it, is missing or unreadable."""


def open_store(uri: str) -> tuple[MlflowClient, list[Experiment]]:
    """Return a client of the store and the store's experiments.

    Args:
        uri: MLflow tracking URI.

    Raises:
        StoreError: If the store does not exist or cannot be read.
    """
    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not path.is_file():
        raise StoreError(
            f"{path}: no MLflow store at this path; python tuning/run_grid.py creates one, "
            "--tracking-uri selects another"
        )
    try:
        _connect_once(uri)
        client = MlflowClient(tracking_uri=uri)
        return client, list(client.search_experiments(ViewType.ACTIVE_ONLY))
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise StoreError(f"{hide_passwords(uri)}: cannot be read: {first_line(error)}") from error


def _connect_once(uri: str) -> None:
    """Connect to a database server a single time: MLflow would retry for more than a minute."""
    if uri.startswith(_SERVERS):
        engine = create_engine(uri)
        try:
            engine.connect().close()
        finally:
            engine.dispose()
