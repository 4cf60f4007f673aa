"""The model that MLflow serves, and its download from MLflow, which no other file here imports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measures.addresses import check_readable, choose_registry, find_moved
from measures.passwords import first_line

if TYPE_CHECKING:
    import pandas as pd

    from models.predictor import Predictor

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # no usage data is sent
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# with 7 retries, the default, MLflow waits minutes for a server that does not answer
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

ALIAS = "champion"


class ModelError(OSError):
    """A model is unavailable in MLflow; the message names it and the reason."""


class Served:
    """The model that MLflow calls: from a table of pairs to a table of probabilities.

    Args:
        predictor: Predictor that computes the probabilities.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return one row for each pair: ``probability``, and the decision ``paraphrase``.

        Args:
            model_input: Pairs in the columns ``first`` and ``second``.
            params: Parameters that MLflow passes; not used.

        Raises:
            MlflowException: If a text is empty or too long; the server answers 400.
        """
        import pandas as pd
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

        from models.predictor import PairError

        try:
            found = self.predictor.predict(list(model_input["first"]), list(model_input["second"]))
        except PairError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error
        return pd.DataFrame(
            {"probability": found, "paraphrase": found >= self.predictor.threshold}
        )


def _load_pyfunc(path: str) -> Served:
    """Return the model in a folder; MLflow calls a function of this name."""
    from models.predictor import Predictor

    return Served(Predictor(Path(path)))


def fetch_model(uri: str | None, store: str, folder: Path) -> Path:
    """Download a model from MLflow into a folder, and return the path of its files.

    MLflow's tracking URI is set to the store, and its registry to that of the store. Files that
    were moved together with the store are not copied.

    Args:
        uri: Name, ``models:/NAME@champion`` or ``runs:/ID/served``; None for the newest champion.
        store: MLflow tracking URI.
        folder: Folder for the files.

    Raises:
        AddressError: If the store is absent, or is none.
        ModelError: If there is no such model, or the store cannot be used.
    """
    check_readable(store)
    from mlflow import set_registry_uri, set_tracking_uri
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        set_registry_uri(choose_registry(store))
        set_tracking_uri(store)
        uri = uri or _newest_champion()
        moved = _find_moved(uri, store)
        if moved is not None:
            return moved
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder)))
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        if isinstance(error, ModelError):
            raise
        reason = first_line(error)
        raise ModelError(f"model: {uri or 'the champion'} is unavailable: {reason}") from error


def _find_moved(uri: str, store: str) -> Path | None:
    """Return the folder of a model's files if it was moved together with the store, else None."""
    from mlflow.tracking import MlflowClient

    client, name = MlflowClient(), uri.partition(":/")[2]
    if uri.startswith("models:/"):
        model, _, alias = name.partition("@")
        version = (
            client.get_model_version_by_alias(model, alias)
            if alias
            else client.get_model_version(*name.split("/", 1))
        )
        run_id, path = str(version.run_id), str(version.source).rpartition("/")[2]
    else:
        run_id, _, path = name.strip("/").partition("/")
    moved = find_moved(str(client.get_run(run_id).info.artifact_uri), store)
    return None if moved is None or not (moved / path).is_dir() else moved / path


def _newest_champion() -> str:
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
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
