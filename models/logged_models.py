"""Saved models and encoders in MLflow: their full names, and their download."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from measures.addresses import check_readable, choose_registry, find_moved
from measures.passwords import first_line, hide_passwords
from measures.references import SAVED_AT, fetch_referenced

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # no usage data is sent
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# with 7 retries, the default, MLflow waits minutes for a server that does not answer
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

ALIAS = "champion"


class ModelError(OSError):
    """A model or its encoder is unavailable in MLflow; the message names it and the reason."""


def fetch_model(uri: str | None, store: str, folder: Path) -> tuple[str, Path]:
    """Return the full name of a model in MLflow, and the folder of its files.

    They are downloaded into ``folder``, unless they were moved together with the store. MLflow's
    tracking URI is set to the store, and its registry to that of the store.

    Args:
        uri: Name, ``models:/NAME@champion`` or ``runs:/ID/model``, or the id of a run; None for
            the newest champion.
        store: MLflow tracking URI.
        folder: Folder for the files.

    Raises:
        AddressError: If the store is absent, or is none.
        ModelError: If there is no such model, or the store cannot be used.
    """
    check_readable(store)
    from mlflow import set_registry_uri, set_tracking_uri
    from mlflow.artifacts import download_artifacts
    from mlflow.tracking import MlflowClient

    try:
        set_registry_uri(choose_registry(store))
        set_tracking_uri(store)
        client = MlflowClient()
        name = _resolve(client, uri, store)
        moved = _find_moved(client, name, store) or _fetch_referenced(client, name, folder)
        return name, moved or Path(download_artifacts(artifact_uri=name, dst_path=str(folder)))
    except _store_errors() as error:
        if isinstance(error, ModelError):
            raise
        reason = first_line(error)
        raise ModelError(f"model: {uri or 'the champion'} is unavailable: {reason}") from error


def fetch_encoder(fingerprint: str, store: str, folder: Path) -> Path:
    """Return the folder of an encoder that a launch logged, as ``fetch_model`` does.

    Args:
        fingerprint: Fingerprint of the encoder.
        store: MLflow tracking URI.
        folder: Folder for the files.

    Raises:
        AddressError: If the store is absent, or is none.
        ModelError: If no launch in the store has the encoder, or the store cannot be used.
    """
    check_readable(store)
    from mlflow.tracking import MlflowClient

    reason = "no launch in it has that one"
    try:
        client = MlflowClient(tracking_uri=store)
        experiments = [each.experiment_id for each in client.search_experiments()]
        query = f"tags.encoder_fingerprint = '{fingerprint}'"
        for run in client.search_runs(experiments, query):
            moved = _folder_of(find_moved(str(run.info.artifact_uri), store), "encoder")
            if moved is not None:
                return moved
            if client.list_artifacts(run.info.run_id, "encoder"):
                return Path(client.download_artifacts(run.info.run_id, "encoder", str(folder)))
    except _store_errors() as error:
        reason = first_line(error)
    raise ModelError(f"{hide_passwords(store)} lacks the encoder {fingerprint}: {reason}")


def _store_errors() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError, ImportError


def _resolve(client: MlflowClient, uri: str | None, store: str) -> str:
    """Return the name of a model with its version, or of the files of a run."""
    if uri is None:
        return _newest_champion(client)
    model, _, alias = uri.removeprefix("models:/").partition("@")
    if uri.startswith("models:/") and alias:
        return f"models:/{model}/{client.get_model_version_by_alias(model, alias).version}"
    if "/" in uri:
        return uri
    run = client.get_run(uri)
    if SAVED_AT in run.data.tags:
        return f"runs:/{uri}/model"
    moved = find_moved(str(run.info.artifact_uri), store)
    there = moved.iterdir() if moved else map(Path, (f.path for f in client.list_artifacts(uri)))
    folders = {each.name for each in there}
    for folder in ("served", "model"):
        if folder in folders:
            return f"runs:/{uri}/{folder}"
    raise ModelError(
        f"model: the run {uri} has no saved model; trials of a grid, the retrained trials of a "
        "search, and its champion have one"
    )


def _find_moved(client: MlflowClient, name: str, store: str) -> Path | None:
    """Return the folder of a model's files if it was moved together with the store, else None."""
    scheme, _, rest = name.partition(":/")
    owner, _, path = rest.strip("/").partition("/")
    if scheme == "models" and path.isdecimal():
        version = client.get_model_version(owner, path)
        owner, path = version.run_id or "", str(version.source).rpartition("/")[2]
    elif scheme != "runs":
        return None
    if not owner:
        return None
    return _folder_of(find_moved(str(client.get_run(owner).info.artifact_uri), store), path)


def _fetch_referenced(client: MlflowClient, name: str, folder: Path) -> Path | None:
    """Return a copy of a model that its run has by reference; None for any other."""
    scheme, _, rest = name.partition(":/")
    owner, _, path = rest.strip("/").partition("/")
    if scheme != "runs":  # the models of a registry are copies
        return None
    return fetch_referenced(client.get_run(owner).data.tags, owner, path, folder)


def _folder_of(artifacts: Path | None, name: str) -> Path | None:
    return artifacts / name if artifacts is not None and (artifacts / name).is_dir() else None


def _newest_champion(client: MlflowClient) -> str:
    found = [
        client.get_model_version(model.name, model.aliases[ALIAS])
        for model in client.search_registered_models()
        if ALIAS in model.aliases
    ]
    if not found:
        raise ModelError(
            "model: the MLflow store has no champion: run make search, or name the folder of a "
            "saved model with --model"
        )
    newest = max(found, key=lambda version: version.creation_timestamp)
    return f"models:/{newest.name}/{newest.version}"
