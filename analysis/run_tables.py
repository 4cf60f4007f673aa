"""Numbers about the trials: curves, the comparison of freezing modes, the grid.

``trials`` is ``Launch.trials``: a row a finished trial with its parameters and final metrics.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from measures.comparison import entity_codes
from measures.intervals import Predictions

_ORDER = {"all": "0", "some": "1", "none": "3"}


def freezing_order(modes: pd.Series) -> list[str]:
    """Return the different freezing modes from all frozen to none."""
    return sorted({str(mode) for mode in modes}, key=lambda mode: _ORDER.get(mode, f"2{mode}"))


def curves(epochs: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each freezing mode, epoch and metric: ``mean``, ``low``, ``high`` (one
    standard deviation over seeds, equal to the mean for one seed) and ``seeds``.
    """
    joined = epochs.merge(trials[["run_id", "freezing"]], on="run_id")
    metrics = [name for name in ("train_loss", "val_loss", "val_f1", "val_auc") if name in joined]
    long = joined.melt(["freezing", "epoch"], metrics, var_name="metric", value_name="value")
    table = long.groupby(["freezing", "epoch", "metric"], as_index=False).agg(
        mean=("value", "mean"), std=("value", "std"), seeds=("value", "count")
    )
    spread = table.pop("std").fillna(0.0)
    return table.assign(low=table["mean"] - spread, high=table["mean"] + spread)


def model_predictions(
    predictions: pd.DataFrame, trials: pd.DataFrame, *, threshold: float | None
) -> dict[str, Predictions]:
    """Return the test predictions of each freezing mode, its trials as seeds.

    Args:
        predictions: ``Store.predictions``.
        trials: Those to use.
        threshold: The same for all, or None for the one each trial chose on validation.
    """
    test = predictions[predictions["split"] == "test"]
    found = {}
    for mode in freezing_order(trials["freezing"]):
        chosen = trials[trials["freezing"].astype(str) == mode].sort_values("seed")
        parts = [test[test["run_id"] == run].sort_values("line") for run in chosen["run_id"]]
        found[mode] = Predictions(
            labels=parts[0]["label"].to_numpy(),
            entities=entity_codes(parts[0]["group"]),
            probabilities=np.stack([part["probability"].to_numpy() for part in parts]),
            seeds=chosen["seed"].to_numpy(),
            thresholds=(
                chosen["threshold"].to_numpy(dtype=float)
                if threshold is None
                else np.full(len(chosen), threshold)
            ),
        )
    return found


def grid_scores(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each freezing, optimizer and learning rate: means over seeds of test
    accuracy and F1 at 0.5 and of validation F1 at its threshold, and ``flag``.
    """
    keys = ["freezing", "optimizer", "learning_rate"]
    table = trials.groupby(keys, as_index=False).agg(
        test_accuracy=("test_accuracy", "mean"),
        test_f1=("test_f1", "mean"),
        test_f1_at_threshold=("test_f1_at_threshold", "mean"),
        test_auc=("test_auc", "mean"),
        val_f1=("val_f1_at_threshold", "mean"),
        collapsed=("collapsed", "max"),
        diverged=("diverged", "max"),
        seeds=("seed", "count"),
    )
    flag = np.where(
        table["diverged"] > 0, "diverged", np.where(table["collapsed"] > 0, "collapsed", "")
    )
    return table.drop(columns=["collapsed", "diverged"]).assign(flag=flag)


def best_of_each_optimizer(grid: pd.DataFrame) -> pd.DataFrame:
    """Return for each freezing and optimizer the cell of ``grid_scores`` best by validation.

    Cells that collapsed or diverged are passed over where another exists. ``edge`` says whether
    the best rate is the lowest or the highest tried: the true best may lie outside.
    """
    order = grid.assign(bad=grid["flag"] != "").sort_values(
        ["bad", "val_f1"], ascending=[True, False]
    )
    best = order.groupby(["freezing", "optimizer"], as_index=False).first()
    rates = grid["learning_rate"]
    edge = np.select(
        [best["learning_rate"] == rates.min(), best["learning_rate"] == rates.max()],
        ["lowest", "highest"],
        "",
    )
    return best.drop(columns="bad").assign(edge=edge if rates.nunique() > 1 else "")


def selection_optimism(trials: pd.DataFrame) -> pd.DataFrame:
    """Return what choosing costs: for each freezing mode the trial best by validation.

    ``trials`` chosen from, ``val_f1`` (at its own threshold) and ``test_f1`` at that same
    threshold, and ``gap``, the first minus the second.
    """
    rows = []
    for mode in freezing_order(trials["freezing"]):
        part = trials[trials["freezing"].astype(str) == mode]
        best = part.sort_values("val_f1_at_threshold").iloc[-1]
        val, test = best["val_f1_at_threshold"], best["test_f1_at_threshold"]
        rows.append(
            {
                "freezing": mode,
                "trials": len(part),
                "name": best["name"],
                "val_f1": val,
                "test_f1": test,
                "gap": val - test,
            }
        )
    return pd.DataFrame(rows)
