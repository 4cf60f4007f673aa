"""Conversion of a logged MLflow run to a table row, and the columns that the report needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from measures.objective import FLAGS, SEED_MEAN, VALIDATION_F1, score_flags

if TYPE_CHECKING:
    from mlflow.entities import Run

SCORES = ("accuracy", "f1", "precision", "recall", "auc", "mcc", "positive_rate")
PARAMS = ("freezing", "optimizer", "learning_rate", "seed", "head", "epochs")
METRICS = (
    "threshold",
    *FLAGS,
    VALIDATION_F1,
    *(f"test_{score}" for score in SCORES),
    *(f"test_{score}_at_threshold" for score in SCORES if score != "auc"),
)
# what a trial of an earlier version did, whose log does not say so; a launch may have both kinds
_BEFORE: dict[str, Any] = {"encoding": "pair"}
SEARCH_TAGS = ("origin", "stopped")  # who chose a trial of a search, and when it was ended early
SEARCHED = ("threshold", *FLAGS, VALIDATION_F1, SEED_MEAN)  # a search does not score test


def trial_row(run: Run) -> dict[str, Any]:
    """Return a run as a row: id, name, parameters, final metrics (without those by epoch), tags.

    The tags are those of ``SEARCH_TAGS`` that it has.
    """
    metrics = {name: value for name, value in run.data.metrics.items() if "/" not in name}
    params = _BEFORE | {name: to_number(value) for name, value in run.data.params.items()}
    flags = {} if "no_positive" in metrics else _flags_since(metrics)
    tags = {name: run.data.tags[name] for name in SEARCH_TAGS if name in run.data.tags}
    name = run.info.run_name
    known = {"run_id": run.info.run_id, "name": name, "folder": run.data.tags.get("trial", name)}
    return {**known, **params, **metrics, **flags, **tags}


def _flags_since(metrics: dict[str, float]) -> dict[str, float]:
    """Return the flags of a run whose version called it collapsed if one class was predicted.

    Such runs have no standard error: only an AUC of at most .5 is known to be a collapse.
    """
    names = ("auc", "positive_rate")
    if any(f"val_{name}" not in metrics for name in names):
        return {}
    return score_flags({name: metrics[f"val_{name}"] for name in names})


def missing_columns(row: dict[str, Any], metrics: Iterable[str] = METRICS) -> list[str]:
    """Return the names of the parameters and metrics that the report needs and the row lacks."""
    return [name for name in (*PARAMS, *metrics) if name not in row]


def to_number(text: str) -> float | int | str:
    """Return a logged parameter, which MLflow stores as text, as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
