"""A helper for tests: a small grid over the embedded pairs and encoder."""

import tempfile
from functools import cache
from pathlib import Path

from tuning.config.experiment import Experiment
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import DataLocations


@cache
def prepared(*, data: str = "embedded", epochs: int = 2, min_steps: int = 0) -> Prepared:
    """Return a grid of two trials, ready to run; no server answers for PARADE.

    All tests share it, since the pairs take a while to be read.
    """
    experiment = Experiment.model_validate(
        {
            "name": "check",
            "data": data,
            "encoder": "embedded",
            "trial": {"epochs": epochs, "min_steps": min_steps},
            "grid": {"learning_rate": [0.001, 0.1]},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        locations = DataLocations(cache=Path(folder), parade_url="http://127.0.0.1:1")
        return prepare(experiment, locations)
