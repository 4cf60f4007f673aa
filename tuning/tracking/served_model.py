"""The champion as a model that MLflow serves: a folder in MLflow's format, without a pickle."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.system.project import ROOT
from tuning.tracking.launch_log import SERVED

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_CODE = ("measures", "models")  # packages of this project that travel with the model
_PACKAGES = ("numpy", "pandas", "safetensors", "scikit-learn", "sqlalchemy", "tokenizers", "torch",
             "transformers")  # fmt: skip
_EXAMPLE = {
    "first": ["a formal language for describing the structure of data"],
    "second": ["a language that says how data are organised"],
}


def write_served_model(
    folder: Path, members: Sequence[Path], encoder: Path, threshold: float
) -> None:
    """Write an ensemble with its code, so that MLflow serves it without this project installed.

    The model is complete before it takes the folder's place.

    Args:
        folder: Folder of the model; replaced if it exists.
        members: Folders of the saved classifiers.
        encoder: Folder of their encoder.
        threshold: Mean probability from which a pair is called a paraphrase, in [0, 1].
    """
    # these take a second to import, and most launches have no champion
    import pandas as pd
    from mlflow import pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    from models.ensemble import write_ensemble

    text, number, truth = DataType.string, DataType.double, DataType.boolean
    signature = ModelSignature(
        inputs=Schema([ColSpec(text, "first"), ColSpec(text, "second")]),
        outputs=Schema([ColSpec(number, "probability"), ColSpec(truth, "paraphrase")]),
    )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".served") as name:
        data, model = Path(name, "ensemble"), Path(name, SERVED)
        write_ensemble(data, members, encoder, threshold)
        pyfunc.save_model(
            model,
            loader_module="models.served",
            data_path=str(data),
            code_paths=[str(ROOT / package) for package in _CODE],
            signature=signature,
            input_example=pd.DataFrame(_EXAMPLE),
            pip_requirements=[f"{package}=={version(package)}" for package in _PACKAGES],
        )
        shutil.rmtree(folder, ignore_errors=True)
        model.rename(folder)


def register_model(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    """Make the served model of a run the champion among the models of its experiment."""
    name = client.get_experiment(experiment_id).name
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    known = client.search_model_versions(f"name = '{name}'")
    versions = {model.run_id: model.version for model in known}
    if run_id not in versions:
        source = f"{client.get_run(run_id).info.artifact_uri}/{SERVED}"
        versions[run_id] = client.create_model_version(name, source, run_id).version
    client.set_registered_model_alias(name, "champion", versions[run_id])
