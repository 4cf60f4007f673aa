"""Tables with a row for each trial: its settings and scores, and its test scores recomputed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from analysis.load_runs import Launch
from analysis.run_tables import FLAG_WORDS
from measures.objective import VALIDATION_F1

_COLUMNS = (
    *("experiment", "name", "freezing", "encoding", "head", "optimizer", "learning_rate", "seed"),
    *("val_f1", "val_auc", "test_f1_at_threshold", "test_accuracy_at_threshold"),
    *("test_f1", "test_accuracy", "test_auc"),
    *("flag", "seconds"),
)
_LOGGED = ("test_f1_at_threshold", "test_accuracy_at_threshold", "test_f1", "test_accuracy",
           "test_auc")  # fmt: skip


RECOMPUTED = [
    "experiment",
    "name",
    *(f"{kind}_{name}" for name in ("test_f1_at_threshold", "test_accuracy_at_threshold",
      "test_auc") for kind in ("logged", "again")),
    "difference",
]  # fmt: skip


def all_trials(launches: list[Launch]) -> pd.DataFrame:
    """Return a row for each finished trial, those with the highest validation F1 first.

    ``val_f1`` and ``test_f1_at_threshold`` are at the threshold chosen on validation, ``flag``
    names what is wrong with the trial, else "". Columns that no log has are left out; a search
    has no test scores.
    """
    frames = []
    for launch in launches:
        trials = launch.trials.rename(columns={"val_f1": "val_f1_at_half"})
        trials = trials.rename(columns={VALIDATION_F1: "val_f1"})
        flags = [
            ", ".join(words for flag, words in FLAG_WORDS.items() if row.get(flag))
            for row in trials.to_dict("records")
        ]
        frames.append(trials.assign(experiment=launch.experiment, flag=flags))
    table = pd.concat(frames, ignore_index=True)
    shown = [name for name in _COLUMNS if name in table]
    return table[shown].sort_values("val_f1", ascending=False, ignore_index=True, kind="stable")


def recomputed(launch: Launch, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return each trial's logged test scores beside those recomputed from its predictions.

    Args:
        launch: Launch whose trials have test scores.
        predictions: ``Store.predictions`` of this launch.

    Returns:
        A row for each trial: ``experiment``, ``name``, ``logged_SCORE`` and ``again_SCORE``
        for F1, accuracy and AUC, and ``difference``, the largest one of these scores, NaN if none
        can be computed. F1 and accuracy are taken at the trial's threshold and at 0.5.
    """
    test = predictions[predictions["split"] == "test"]
    parts = dict(list(test.groupby("run_id")))
    rows = []
    for trial in launch.trials.to_dict("records"):
        again = _scores(parts[trial["run_id"]], float(trial["threshold"]))
        gaps = [abs(float(trial[name]) - again[name]) for name in _LOGGED]
        known = [gap for gap in gaps if not np.isnan(gap)]
        row: dict[str, object] = {"experiment": launch.experiment, "name": trial["name"]}
        for name in _LOGGED:
            row |= {f"logged_{name}": trial[name], f"again_{name}": again[name]}
        rows.append({**row, "difference": max(known, default=float("nan"))})
    return pd.DataFrame(rows)


def _scores(predictions: pd.DataFrame, threshold: float) -> dict[str, float]:
    """Return the scores of ``_LOGGED``; all NaN if the classifier predicted no number."""
    labels, probability = predictions["label"], predictions["probability"].astype(float)
    if probability.isna().any():
        return dict.fromkeys(_LOGGED, float("nan"))
    scores = {"test_auc": float(roc_auc_score(labels, probability))}
    for ending, cut in (("_at_threshold", threshold), ("", 0.5)):
        chosen = probability >= cut
        scores[f"test_f1{ending}"] = float(f1_score(labels, chosen))
        scores[f"test_accuracy{ending}"] = float(accuracy_score(labels, chosen))
    return scores
