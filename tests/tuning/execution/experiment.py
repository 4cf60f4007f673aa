"""A helper for tests: a small grid over the embedded pairs and encoder."""

from pathlib import Path

from tuning.config.experiment import Experiment
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import DataLocations


def prepared(
    folder: Path, *, data: str = "embedded", epochs: int = 2, min_steps: int = 0
) -> Prepared:
    """Return a grid of two trials, ready to run; no server answers for PARADE."""
    experiment = Experiment.model_validate(
        {
            "name": "check",
            "data": data,
            "encoder": "embedded",
            "trial": {"epochs": epochs, "min_steps": min_steps},
            "grid": {"learning_rate": [0.001, 0.1]},
        }
    )
    return prepare(experiment, DataLocations(cache=folder, parade_url="http://127.0.0.1:1"))
