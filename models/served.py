"""The model as MLflow serves it, and as it is had from MLflow; no other file here knows MLflow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measures.passwords import first_line

if TYPE_CHECKING:
    import pandas as pd

    from models.predictor import Predictor

os.environ.setdefault("MLFLOW_ENABLE_TELEMETRY", "false")  # nothing is sent about the user
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 wait minutes for no server

ALIAS = "champion"


class ModelError(OSError):
    """A model that cannot be had from MLflow; the message names it and the way out."""


class Served:
    """What MLflow calls: a table of pairs in, a table of probabilities out."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - pandas is had where MLflow is
        """Return a row a pair: ``probability``, and whether it reaches the threshold.

        Args:
            model_input: With the columns ``first`` and ``second``.
            params: Not used; MLflow gives them.

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
    """Return the model in a folder; MLflow looks for a function of this name."""
    from models.predictor import Predictor

    return Served(Predictor(Path(path)))


def fetch_model(uri: str | None, store: str, folder: Path) -> Path:
    """Bring a model from MLflow into a folder, and return where it lies.

    Args:
        uri: As ``models:/NAME@champion`` or ``runs:/ID/served``; None for the newest champion.
        store: MLflow tracking URI.
        folder: Gets the files.

    Raises:
        ModelError: If there is no such model, or the store cannot be used.
    """
    file = store.removeprefix("sqlite:///")
    if file != store and not Path(file).is_file():  # MLflow would make an empty one
        raise ModelError(f"{file}: no such MLflow store; --tracking-uri names another")
    from mlflow import set_tracking_uri
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        set_tracking_uri(store)
        uri = uri or _newest_champion()
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder)))
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        if isinstance(error, ModelError):
            raise
        reason = first_line(error)
        raise ModelError(f"model: {uri or 'the champion'} is unavailable: {reason}") from error


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
            "model: the MLflow store has no champion: make search finds one, or --model names a "
            "folder with a saved classifier"
        )
    newest = max(found, key=lambda version: version.creation_timestamp)
    return f"models:/{newest.name}/{newest.version}"
