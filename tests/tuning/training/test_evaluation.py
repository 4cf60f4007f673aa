"""Guards the files of the final scores: they agree with the labels and the probabilities."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tuning.training.evaluation import (
    Evaluation,
    read_probabilities,
    write_confusion,
    write_predictions,
)

LABELS = {"validation": np.array([0, 1, 1]), "test": np.array([1, 0, 0, 1, 0])}
PROBABILITIES = {
    "validation": np.array([0.2, 0.4, 0.9]),
    "test": np.array([0.35, 0.6, 0.1, 0.7, 1 / 3]),
}


@pytest.fixture
def evaluation() -> Evaluation:
    return Evaluation(metrics={"threshold": 0.3}, labels=LABELS, probabilities=PROBABILITIES)


def test_confusion_counts_rows_as_labels_and_columns_as_predictions(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    write_confusion(tmp_path / "c.json", evaluation)
    counts = json.loads((tmp_path / "c.json").read_text())
    assert counts["test"] == {"at_0.5": [[2, 1], [1, 1]], "at_threshold": [[1, 2], [0, 2]]}


def test_predictions_keep_every_digit_and_their_lines(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    index = {
        "validation": (np.array([2, 3, 4]), ["a", "a", "b"]),
        "test": (np.array([2, 3, 4, 5, 6]), ["c", "d", "d", "e, f", "e, f"]),
    }
    write_predictions(tmp_path / "p.csv", evaluation, index)
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[-1] == {
        "split": "test",
        "line": "6",
        "group": "e, f",
        "label": "0",
        "probability": repr(1 / 3),
    }
    assert len(rows) == 8
    again = read_probabilities(tmp_path / "p.csv")
    assert again is not None
    assert {split: [*values] for split, values in again.items()} == {
        split: [*values] for split, values in evaluation.probabilities.items()
    }
