"""Tables about the trials: learning curves, test predictions by freezing mode, and the grid.

``trials`` is ``Launch.trials``: one row per finished trial with parameters and final metrics.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from measures.comparison import LEVEL, entity_codes
from measures.intervals import Predictions
from measures.objective import FLAGS, VALIDATION_F1, ThresholdRule

_CURVES = ("train_loss", "val_loss", "val_target_loss", "val_f1", VALIDATION_F1, "val_auc")
IDLE = "learned_nothing"  # column of a grid's trials, 0 or 1: no more than this module can tell
FLAG_WORDS = {IDLE: "learned nothing", **FLAGS}
_TOLD_APART = ("val_auc", VALIDATION_F1, "test_auc", "test_f1", "test_accuracy",
               "test_f1_at_threshold", "test_accuracy_at_threshold")  # fmt: skip
_ORDER = {"all": "0", "some": "1", "none": "3"}


def freezing_order(modes: pd.Series) -> list[str]:
    """Return the distinct freezing modes, from all layers frozen to none."""
    return sorted({str(mode) for mode in modes}, key=lambda mode: _ORDER.get(mode, f"2{mode}"))


def curves(epochs: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each freezing mode, epoch and metric: ``mean`` over seeds, ``seeds``, and
    ``low`` and ``high``, one standard deviation around it (the mean itself for a single seed).

    Args:
        epochs: ``Store.epochs``.
        trials: Trials to use.
    """
    joined = epochs.merge(trials[["run_id", "freezing"]], on="run_id")
    metrics = [name for name in _CURVES if name in joined]
    long = joined.melt(["freezing", "epoch"], metrics, var_name="metric", value_name="value")
    table = long.groupby(["freezing", "epoch", "metric"], as_index=False).agg(
        mean=("value", "mean"), std=("value", "std"), seeds=("value", "count")
    )
    spread = table.pop("std").fillna(0.0)
    return table.assign(low=table["mean"] - spread, high=table["mean"] + spread)


def threshold_rule(trials: pd.DataFrame) -> ThresholdRule:
    """Return the rule by which the trials chose their thresholds; if they differ, ``steady``.

    Launches of earlier versions knew the highest F1 alone.
    """
    known = "threshold_rule" in trials and (trials["threshold_rule"] == "steady").any()
    return "steady" if known else "maximum"


def validation_loss(curves: pd.DataFrame) -> str:
    """Return the metric that the train loss is compared with: the loss against the same targets.

    Launches of earlier versions logged that against the labels alone.

    Args:
        curves: Table ``curves``.
    """
    return "val_target_loss" if "val_target_loss" in set(curves["metric"]) else "val_loss"


def validation_f1(curves: pd.DataFrame) -> str:
    """Return the F1 by epoch that is shown: at the threshold of each epoch if it was logged.

    Args:
        curves: Table ``curves``.
    """
    return VALIDATION_F1 if VALIDATION_F1 in set(curves["metric"]) else "val_f1"


def model_predictions(
    predictions: pd.DataFrame,
    trials: pd.DataFrame,
    *,
    threshold: float | None,
    split: str = "test",
) -> dict[str, Predictions]:
    """Return the predictions of each freezing mode for a split, with one seed per trial.

    Args:
        predictions: ``Store.predictions``.
        trials: Trials to use.
        threshold: Decision threshold of all trials; None for the one that each trial chose on
            validation.
        split: ``test`` or ``validation``.
    """
    rows = predictions[predictions["split"] == split]
    found = {}
    for mode in freezing_order(trials["freezing"]):
        chosen = trials[trials["freezing"].astype(str) == mode].sort_values("seed")
        parts = [rows[rows["run_id"] == run].sort_values("line") for run in chosen["run_id"]]
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
    """Return a row for each freezing mode, optimizer and learning rate: means over seeds.

    ``test_accuracy`` and ``test_f1`` are at 0.5; those of the same names with ``_at_threshold``
    and ``val_f1`` are at the threshold chosen on validation. ``flag`` is the gravest flag of any
    seed in words, else "".
    """
    keys = ["freezing", "optimizer", "learning_rate"]
    trials = trials.assign(**{IDLE: trials.get(IDLE, 0)})
    table = trials.groupby(keys, as_index=False).agg(
        test_accuracy=("test_accuracy", "mean"),
        test_f1=("test_f1", "mean"),
        test_accuracy_at_threshold=("test_accuracy_at_threshold", "mean"),
        test_f1_at_threshold=("test_f1_at_threshold", "mean"),
        test_auc=("test_auc", "mean"),
        val_f1=(VALIDATION_F1, "mean"),
        seeds=("seed", "nunique"),
        runs=("seed", "count"),
        **{flag: (flag, "max") for flag in FLAG_WORDS},
    )
    gravest = sorted(FLAG_WORDS, key="diverged".__ne__)  # the others are in this order already
    words = [FLAG_WORDS[flag] for flag in gravest]
    flag = np.select([table[flag] > 0 for flag in gravest], words, "")
    return table.drop(columns=list(FLAG_WORDS)).assign(flag=flag)


def mark_idle(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials of a grid with the column ``IDLE``: 1 if the head learned nothing.

    Its probabilities are then all equal, so that no pair is ranked above another, or what it adds
    is so little that no score, to the third digit, differs from that of a trial of the same
    freezing mode with another optimizer or learning rate.
    """
    told = [name for name in _TOLD_APART if name in trials]
    if not told:  # as of a log without a score
        return trials.assign(**{IDLE: 0.0})
    cell = trials["optimizer"].astype(str) + " " + trials["learning_rate"].astype(str)
    mode = trials["freezing"].astype(str)
    alike = cell.groupby([mode, *(trials[name].round(3) for name in told)], dropna=False)
    ranks = [name for name in told if name.endswith("_auc")]
    constant = (trials[ranks] == 0.5).all(axis="columns") & bool(ranks)
    return trials.assign(**{IDLE: ((alike.transform("nunique") > 1) | constant).astype(float)})


def best_of_each_optimizer(grid: pd.DataFrame) -> pd.DataFrame:
    """Return for each freezing mode and optimizer the cell of ``grid_scores`` best by validation.

    A flagged cell is never chosen, so that an optimizer with no other has no row. ``edge`` is
    ``lowest`` or ``highest`` if the best rate is at that end of the rates tried, so that the true
    best may lie outside them, else "".
    """
    order = grid[grid["flag"] == ""].sort_values("val_f1", ascending=False)
    best = order.groupby(["freezing", "optimizer"], as_index=False).first()
    rates = grid["learning_rate"]
    edge = np.select(
        [best["learning_rate"] == rates.min(), best["learning_rate"] == rates.max()],
        ["lowest", "highest"],
        "",
    )
    return best.assign(edge=edge if rates.nunique() > 1 else "")


def lost_optimizers(grid: pd.DataFrame) -> pd.DataFrame:
    """Return each ``freezing`` mode and ``optimizer`` of which every cell is flagged."""
    keys = ["freezing", "optimizer"]
    sound = grid.assign(sound=(grid["flag"] == "").astype(int))
    counts = sound.groupby(keys, as_index=False).agg(sound=("sound", "sum"))
    return counts[counts["sound"] == 0][keys].reset_index(drop=True)


def claimed(differences: pd.DataFrame) -> pd.Series:
    """Return for each comparison whether a difference in F1 is claimed.

    It is if the p-value is below .05 after Holm's correction; the interval is not corrected. A
    model with one seed has no p-value, and nothing is claimed of it.
    """
    return differences["f1_p_holm"] < LEVEL


def sound_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials without a flag, which alone can be called best."""
    return trials[is_sound(trials)]


def is_sound(trials: pd.DataFrame) -> pd.Series:
    """Return for each trial whether it has no flag."""
    return (trials[[flag for flag in FLAG_WORDS if flag in trials]] == 0).all(axis="columns")


def selection_optimism(trials: pd.DataFrame) -> pd.DataFrame:
    """Return for each freezing mode the sound trial with the best validation F1, and its test F1.

    The columns are ``freezing``, the numbers of ``trials`` chosen from and of ``flagged`` ones,
    which are left out, the chosen trial's ``name``, its ``val_f1`` at its threshold, its
    ``test_f1`` at the same threshold, and ``gap``, the first minus the second.
    """
    chosen, rows = sound_trials(trials), []
    for mode in freezing_order(chosen["freezing"]):
        part = chosen[chosen["freezing"].astype(str) == mode]
        best = part.sort_values(VALIDATION_F1, ascending=False, kind="stable").iloc[0]
        val, test = best[VALIDATION_F1], best["test_f1_at_threshold"]
        flagged = int((trials["freezing"].astype(str) == mode).sum()) - len(part)
        rows.append((mode, len(part), flagged, best["name"], val, test, val - test))
    columns = ["freezing", "trials", "flagged", "name", "val_f1", "test_f1", "gap"]
    return pd.DataFrame(rows, columns=columns)
