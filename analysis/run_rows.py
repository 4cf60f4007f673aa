"""A logged run as a row: what the report needs of it, and its parameters as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Run

SCORES = ("accuracy", "f1", "precision", "recall", "auc", "mcc", "positive_rate")
PARAMS = ("freezing", "optimizer", "learning_rate", "seed", "head", "epochs")
METRICS = (
    "threshold",
    "collapsed",
    "diverged",
    "val_f1_at_threshold",
    *(f"test_{score}" for score in SCORES),
    *(f"test_{score}_at_threshold" for score in SCORES if score != "auc"),
)
SEARCHED = ("threshold", "collapsed", "diverged", "val_f1_at_threshold", "objective")


def trial_row(run: Run) -> dict[str, Any]:
    """Return a run as a row: id, name, parameters, final metrics (without those by epoch)."""
    metrics = {name: v for name, v in run.data.metrics.items() if "/" not in name}
    params = {name: to_number(value) for name, value in run.data.params.items()}
    return {"run_id": run.info.run_id, "name": run.info.run_name, **params, **metrics}


def missing_columns(row: dict[str, Any], metrics: Iterable[str] = METRICS) -> list[str]:
    """Return the parameters and metrics that the report needs and the run does not have."""
    return [name for name in (*PARAMS, *metrics) if name not in row]


def to_number(text: str) -> float | int | str:
    """Return a logged parameter, which MLflow keeps as text, as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
