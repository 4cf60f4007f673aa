"""The model that MLflow serves: from a table of pairs to a table of probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.pair_checks import PairError

if TYPE_CHECKING:
    import pandas as pd

    from models.predictor import Predictor

_OF_CSV = "; MLflow reads null, NA and None in CSV input as missing: send such texts as JSON"


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
            MlflowException: If a value is no text, empty or too long; the server answers 400.
        """
        import pandas as pd
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

        try:
            found = self.predictor.predict(list(model_input["first"]), list(model_input["second"]))
        except PairError as error:
            missing = model_input[["first", "second"]].isna().any(axis=None)
            text = f"{error}{_OF_CSV if missing else ''}"
            raise MlflowException(text, INVALID_PARAMETER_VALUE) from error
        return pd.DataFrame(
            {"probability": found, "paraphrase": found >= self.predictor.threshold}
        )


def _load_pyfunc(path: str) -> Served:
    """Return the model in a folder; MLflow calls a function of this name."""
    from models.predictor import Predictor

    return Served(Predictor(Path(path)))
