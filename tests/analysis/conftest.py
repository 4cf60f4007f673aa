"""Fixtures of the analysis tests: small predictions, pairs and stores to check by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from analysis.load_runs import PARENT_TAG
from analysis.run_rows import METRICS
from measures.intervals import Predictions
from measures.objective import FLAGS
from tests.empty_store import put_store


@pytest.fixture
def predictions() -> Predictions:
    """Return two seeds on 6 pairs of 3 entities."""
    return Predictions(
        labels=np.array([1, 0, 1, 1, 0, 0]),
        entities=np.array([0, 0, 1, 1, 1, 2]),
        probabilities=np.array([[0.9, 0.2, 0.4, 0.8, 0.6, 0.1], [0.7, 0.6, 0.6, 0.3, 0.2, 0.4]]),
        seeds=np.array([3, 8]),
        thresholds=np.array([0.5, 0.5]),
    )


def make_pairs(rows: list[tuple[str, str, str, int, float, str]]) -> pd.DataFrame:
    """Return pairs as in the log from (split, first, second, label, votes, group)."""
    frame = pd.DataFrame(rows, columns=["split", "first", "second", "label", "votes", "group"])
    frame["line"] = frame.groupby("split").cumcount() + 2
    for side in ("first", "second"):
        frame[f"raw_{side}"] = frame[side]
        frame[f"{side}_cleaned_by"] = ""
        frame[f"{side}_pieces"] = frame[side]
    return frame


@pytest.fixture
def pairs() -> pd.DataFrame:
    """Return a handful of pairs over the three splits."""
    return make_pairs(
        [
            ("train", "a red car", "the red car", 1, 1.0, "car"),
            ("train", "a red car", "one blue ship", 0, 0.0, "car"),
            ("train", "the blue ship", "a blue ship", 1, 2 / 3, "ship"),
            ("train", "some green tree", "one red car", 0, 1 / 3, "tree"),
            ("validation", "a small dog", "the small dog", 1, 1.0, "dog"),
            ("validation", "a small dog", "a big house", 0, 0.0, "dog"),
            ("test", "a red car", "a cold sea", 0, 1 / 3, "sea"),
            ("test", "the cold sea", "the cold sea there", 1, 2 / 3, "sea"),
            ("test", "no hot sun", "the hot sun of 5", 1, 1.0, "sun"),
        ]
    )


@pytest.fixture
def trials() -> pd.DataFrame:
    """Return 20 trials of a search whose value depends on the learning rate."""
    generator = np.random.default_rng(0)
    rates = 10 ** generator.uniform(-4, -1, 20)
    values = 0.7 - 0.05 * np.abs(np.log10(rates) + 3) + generator.normal(0, 0.001, 20)
    return pd.DataFrame(
        {
            "run_id": [f"r{n}" for n in range(20)],
            "name": [f"sgd · trial {n:02d}" for n in reversed(range(20))],
            "learning_rate": rates,
            "optimizer": ["adamw", "sgd"] * 10,
            "epochs": 3,
            "val_loss": values / 2,
            "threshold": 0.5,
            "objective": values,
            **dict.fromkeys(FLAGS, 0.0),
        }
    )


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a store without runs."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    put_store(path)
    return path


class Runs:
    """Writer of runs as the tuner logs them, without training."""

    def __init__(self, path: Path, experiment: str) -> None:
        self.uri = f"sqlite:///{path}"
        self.client = MlflowClient(tracking_uri=self.uri)
        self.experiment = self.client.create_experiment(
            experiment, artifact_location=(path.parent / "artifacts").as_uri()
        )

    def parent(self, name: str, **params: str) -> str:
        run = self.client.create_run(self.experiment, run_name=name, tags={"kind": "experiment"})
        for key, value in params.items():
            self.client.log_param(run.info.run_id, key, value)
        return run.info.run_id

    def trial(self, parent: str, name: str, status: str = "FINISHED", **changes: object) -> str:
        tags = {"kind": "trial", PARENT_TAG: parent}
        run = self.client.create_run(self.experiment, run_name=name, tags=tags)
        params = {"freezing": "all", "optimizer": "adamw", "learning_rate": "0.001", "seed": "0",
                  "head": "cross_attention", "epochs": "3"}  # fmt: skip
        for key, value in params.items():
            self.client.log_param(run.info.run_id, key, changes.get(key, value))
        for number, metric in enumerate(METRICS):
            if changes.get(metric, 0.0) is not None:
                value = changes.get(metric, number / 100)
                self.client.log_metric(run.info.run_id, metric, float(str(value)))
        self.client.set_terminated(run.info.run_id, status)
        return run.info.run_id
