"""Opening of an MLflow store for reading, and of its files, also where both were moved."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from measures.addresses import AddressError, check_readable, find_moved, in_trash
from measures.passwords import first_line, hide_passwords
from measures.references import fetch_referenced


class StoreError(ValueError):
    """The store, or something that is needed from it, is missing or unreadable."""


def open_store(uri: str) -> tuple[MlflowClient, list[Experiment]]:
    """Return a client of the store and the store's experiments.

    Args:
        uri: MLflow tracking URI.

    Raises:
        StoreError: If the store does not exist or cannot be read.
    """
    try:
        check_readable(uri)
        client = MlflowClient(tracking_uri=uri)
        return client, list(client.search_experiments(ViewType.ACTIVE_ONLY))
    except AddressError as error:
        raise StoreError(str(error)) from error
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise StoreError(f"{hide_passwords(uri)}: cannot be read: {first_line(error)}") from error


def describe_absent(client: MlflowClient, name: str, uri: str) -> str:
    """Return the sentence on an experiment that the store does not have, or has in its trash."""
    deleted = client.get_experiment_by_name(name)
    if deleted is None:
        return f"The store has no experiment '{name}'."
    return f"The {in_trash(name, deleted.experiment_id, uri)}."


def fetch_artifact(client: MlflowClient, run_id: str, name: str, folder: Path) -> Path:
    """Copy a run's artifact, a file or a folder, into ``folder``; return the path of the copy.

    Raises:
        MlflowException, OSError: If the run has no such artifact, or it cannot be read where it
            is, in the store or by reference.
    """
    run = client.get_run(run_id)
    referenced = fetch_referenced(run.data.tags, run_id, name, folder)
    if referenced is not None:
        return referenced
    moved = find_moved(str(run.info.artifact_uri), client.tracking_uri)
    if moved is None or not (moved / name).exists():
        return Path(client.download_artifacts(run_id, name, str(folder)))
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = shutil.copytree if (moved / name).is_dir() else shutil.copy2
    return Path(copy(moved / name, target))
