"""The champion of a search: frozen, scored once on test, with intervals and differences.

Shapes: S fresh seeds, N test pairs.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from measures.baselines import baseline_predictions
from measures.comparison import differences, entity_codes, scores_with_intervals
from measures.intervals import Predictions
from models.checkpoint import load_classifier
from models.precision import choose_device, single_thread
from tuning.config.experiment import TrialConfig
from tuning.data.pairs import PairData
from tuning.execution.trial import save_predictions
from tuning.tracking.launch_log import SERVED
from tuning.tracking.served_model import write_served_model
from tuning.training.evaluation import Evaluation, evaluate
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.metrics import best_f1_threshold

BASELINE = "gradient boosting on overlap and topics"
MODEL, ENSEMBLE = "champion", "ensemble of its seeds"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChampionScores:
    """The champion's seeds after their only look at test.

    ``scores`` has a row for each model, threshold and metric: ``mean``, ``std``, ``seeds``,
    ``low`` and ``high``; ``difference`` the champion and its ensemble minus the baseline.
    ``metrics`` are for the log.
    """

    scores: pd.DataFrame
    difference: pd.DataFrame
    metrics: dict[str, float]
    by_seed: list[dict[str, float]]


def score_champion(
    trial: TrialConfig, saved: list[Path], inputs: SharedInputs, pairs: PairData, launch: Path
) -> ChampionScores:
    """Return the scores of the saved classifiers on test; keep each below ``launch``/champion.

    There too is written what MLflow serves: all of them as one ensemble.

    Args:
        trial: The champion's configuration.
        saved: The folder of each seed's classifier.
        inputs: What trials share, with the test split.
        pairs: The data set; the baseline learns from its train split.
        launch: Folder of the launch, with the encoder's files; its folder of the champion gets
            one for each seed, with model, predictions and scores.
    """
    folder, encoder = launch / "champion", launch / "encoder"
    evaluations = [_evaluate(model, trial, inputs, encoder) for model in saved]
    for model, evaluation in zip(saved, evaluations, strict=True):
        own = folder / model.parent.parent.name  # of the trial that saved it
        shutil.copytree(model, own / "model", dirs_exist_ok=True)
        save_predictions(own, evaluation, inputs)
    ensemble = _ensemble(evaluations, pairs)
    write_served_model(folder / SERVED, saved, encoder, float(ensemble.thresholds[0]))
    predictions = {
        MODEL: _predictions(evaluations, pairs),
        ENSEMBLE: ensemble,
        BASELINE: _baseline(pairs),
    }
    scores = _scores(predictions)
    difference = differences(predictions, [(MODEL, BASELINE), (ENSEMBLE, BASELINE)])
    by_seed = [evaluation.metrics for evaluation in evaluations]
    metrics = _metrics(by_seed, scores, difference)
    return ChampionScores(
        scores=scores,
        difference=difference,
        metrics=metrics | {"ensemble_threshold": float(ensemble.thresholds[0])},
        by_seed=by_seed,
    )


def _scores(predictions: dict[str, Predictions]) -> pd.DataFrame:
    """Return the scores of each model at the threshold from validation, and at 0.5."""
    at_half = {name: model.at(0.5) for name, model in predictions.items()}
    chosen = scores_with_intervals(predictions).assign(threshold="validation")
    half = scores_with_intervals(at_half).assign(threshold="0.5")
    return pd.concat([chosen, half], ignore_index=True)


def _evaluate(
    saved_model: Path, trial: TrialConfig, inputs: SharedInputs, encoder: Path
) -> Evaluation:
    model = load_classifier(saved_model, encoder)
    if inputs.lower is None:
        model.lower = None  # its states are in the splits
    device = choose_device()
    splits = {name: LoadedSplit(s, trial, device) for name, s in inputs.splits.items()}
    with single_thread():
        return evaluate(model.to(device), splits)


def _predictions(evaluations: list[Evaluation], pairs: PairData) -> Predictions:
    """Return what each seed says of test, with the threshold it chose on validation."""
    return Predictions(
        labels=evaluations[0].labels["test"],
        entities=entity_codes(pd.Series(pairs.splits["test"].groups)),
        probabilities=np.stack([e.probabilities["test"] for e in evaluations]),
        seeds=np.arange(len(evaluations)),
        thresholds=np.array([e.metrics["threshold"] for e in evaluations]),
    )


def _ensemble(evaluations: list[Evaluation], pairs: PairData) -> Predictions:
    """Return the mean of the seeds' probabilities, its threshold chosen on validation."""
    mean = {
        split: np.mean([e.probabilities[split] for e in evaluations], axis=0)
        for split in ("validation", "test")
    }
    threshold, _ = best_f1_threshold(evaluations[0].labels["validation"], mean["validation"])
    return Predictions(
        labels=evaluations[0].labels["test"],
        entities=entity_codes(pd.Series(pairs.splits["test"].groups)),
        probabilities=mean["test"][None, :],
        seeds=np.array([0]),
        thresholds=np.array([threshold]),
    )


def _baseline(pairs: PairData) -> Predictions:
    frame = pd.concat(
        [
            pd.DataFrame({"split": split, "first": t.first, "second": t.second, "label": t.labels})
            for split, t in pairs.splits.items()
        ],
        ignore_index=True,
    )
    entities = entity_codes(pd.Series(pairs.splits["test"].groups))
    return baseline_predictions(frame, entities, [BASELINE])[BASELINE]


def _metrics(
    by_seed: list[dict[str, float]], scores: pd.DataFrame, difference: pd.DataFrame
) -> dict[str, float]:
    """Return means and standard deviations over seeds, the ensemble's scores, the differences."""
    found: dict[str, float] = {}
    for name in by_seed[0]:
        values = [metrics[name] for metrics in by_seed]
        found[name] = float(np.mean(values))
        found[f"{name}_std"] = float(np.std(values, ddof=1))
    for row in scores.to_dict("records"):
        suffix = "" if row["threshold"] == "0.5" or row["metric"] == "auc" else "_at_threshold"
        name = f"test_{row['metric']}{suffix}"
        if row["model"] == ENSEMBLE:
            found[f"ensemble_{name}"] = row["mean"]
        if row["model"] == MODEL:
            found[f"{name}_low"], found[f"{name}_high"] = row["low"], row["high"]
    first = difference.iloc[0]
    for metric in ("accuracy", "f1", "auc"):
        for end in ("", "_low", "_high"):
            found[f"over_baseline_{metric}{end}"] = float(first[metric + end])
    found["over_baseline_p"] = float(first["permutation_p"])
    return found
