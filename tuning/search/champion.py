"""The champion of a search: its classifiers scored on test, beside their ensemble and a baseline.

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
from measures.metrics import choose_threshold
from measures.objective import ThresholdRule
from models.checkpoint import load_classifier
from models.precision import choose_device, single_thread
from tuning.config.experiment import TrialConfig
from tuning.data.pairs import PairData
from tuning.execution.trial import save_predictions
from tuning.tracking.launch_log import SERVED
from tuning.tracking.served_model import write_served_model
from tuning.training.evaluation import Evaluation, evaluate
from tuning.training.inputs import LoadedSplit, SharedInputs

BASELINE = "gradient boosting on overlap and topics"
MODEL, ENSEMBLE = "champion", "ensemble of its seeds"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChampionScores:
    """The scores of the champion on test.

    Args:
        scores: One row for each model, threshold and metric: ``mean``, ``std``, ``seeds``,
            ``low`` and ``high`` (95 % over seeds and entities).
        difference: Champion minus baseline, and ensemble minus baseline: two rows at the
            threshold from validation, two at 0.5 (column ``threshold``).
        metrics: Metrics for the log, by name.
        by_seed: Metrics of each seed.
    """

    scores: pd.DataFrame
    difference: pd.DataFrame
    metrics: dict[str, float]
    by_seed: list[dict[str, float]]


def score_champion(
    trial: TrialConfig, saved: list[Path], inputs: SharedInputs, pairs: PairData, launch: Path
) -> ChampionScores:
    """Score the saved classifiers on test, write below ``launch/champion``, and return the scores.

    That folder gets a folder for each seed, with model, predictions and scores, and the model
    that MLflow serves: all seeds as one ensemble.

    Args:
        trial: The champion's configuration.
        saved: Folder of each seed's classifier.
        inputs: Inputs that the trials share, with the test split.
        pairs: The data set; the baseline learns from its train split.
        launch: Folder of the launch, with the encoder's files.
    """
    folder, encoder = launch / "champion", launch / "encoder"
    evaluations = [_evaluate(model, trial, inputs, encoder) for model in saved]
    _save_seeds(folder, saved, evaluations, inputs)
    ensemble = _ensemble(evaluations, pairs, trial.threshold_rule)
    threshold = float(ensemble.thresholds[0])
    write_served_model(folder / SERVED, saved, encoder, threshold)
    predictions = {
        MODEL: _predictions(evaluations, pairs),
        ENSEMBLE: ensemble,
        BASELINE: _baseline(pairs, trial.threshold_rule),
    }
    scores = _scores(predictions)
    difference = _differences(predictions)
    by_seed = [evaluation.metrics for evaluation in evaluations]
    metrics = _metrics(by_seed, scores, difference)
    return ChampionScores(
        scores=scores,
        difference=difference,
        metrics=metrics | {"ensemble_threshold": threshold},
        by_seed=by_seed,
    )


def _evaluate(
    saved_model: Path, trial: TrialConfig, inputs: SharedInputs, encoder: Path
) -> Evaluation:
    model = load_classifier(saved_model, encoder)
    if inputs.lower is None:
        model.lower = None  # the splits hold the output of its frozen layers
    device = choose_device()
    splits = {name: LoadedSplit(split, trial, device) for name, split in inputs.splits.items()}
    with single_thread():
        return evaluate(model.to(device), splits)


def _save_seeds(
    folder: Path, saved: list[Path], evaluations: list[Evaluation], inputs: SharedInputs
) -> None:
    """Copy each seed's classifier and write its predictions and scores beside it."""
    for model, evaluation in zip(saved, evaluations, strict=True):
        seed_folder = folder / model.parent.parent.name  # named after the trial that saved it
        shutil.copytree(model, seed_folder / "model", dirs_exist_ok=True)
        save_predictions(seed_folder, evaluation, inputs)


def _predictions(evaluations: list[Evaluation], pairs: PairData) -> Predictions:
    """Return each seed's probabilities on test (S, N) and its threshold from validation (S,)."""
    return Predictions(
        labels=evaluations[0].labels["test"],
        entities=entity_codes(pd.Series(pairs.splits["test"].groups)),
        probabilities=np.stack([e.probabilities["test"] for e in evaluations]),
        seeds=np.arange(len(evaluations)),
        thresholds=np.array([e.metrics["threshold"] for e in evaluations]),
    )


def _ensemble(evaluations: list[Evaluation], pairs: PairData, rule: ThresholdRule) -> Predictions:
    """Return the mean of the seeds' probabilities (1, N), its threshold chosen on validation."""
    mean = {
        split: np.mean([e.probabilities[split] for e in evaluations], axis=0)
        for split in ("validation", "test")
    }
    labels = evaluations[0].labels["validation"]
    threshold, _ = choose_threshold(labels, mean["validation"], rule)
    return Predictions(
        labels=evaluations[0].labels["test"],
        entities=entity_codes(pd.Series(pairs.splits["test"].groups)),
        probabilities=mean["test"][None, :],
        seeds=np.array([0]),
        thresholds=np.array([threshold]),
    )


def _baseline(pairs: PairData, rule: ThresholdRule) -> Predictions:
    """Return the predictions on test of the baseline, trained on the train split."""
    frame = pd.concat(
        [
            pd.DataFrame({"split": split, "first": t.first, "second": t.second, "label": t.labels})
            for split, t in pairs.splits.items()
        ],
        ignore_index=True,
    )
    entities = entity_codes(pd.Series(pairs.splits["test"].groups))
    return baseline_predictions(frame, entities, rule, [BASELINE])[BASELINE]


def _scores(predictions: dict[str, Predictions]) -> pd.DataFrame:
    """Return the scores of each model at its threshold from validation, and at 0.5."""
    at_half = {name: model.at(0.5) for name, model in predictions.items()}
    chosen = scores_with_intervals(predictions).assign(threshold="validation")
    half = scores_with_intervals(at_half).assign(threshold="0.5")
    return pd.concat([chosen, half], ignore_index=True)


def _differences(predictions: dict[str, Predictions]) -> pd.DataFrame:
    """Return what champion and ensemble have over the baseline, at both thresholds."""
    declared = [(MODEL, BASELINE), (ENSEMBLE, BASELINE)]
    at_half = {name: model.at(0.5) for name, model in predictions.items()}
    chosen = differences(predictions, declared).assign(threshold="validation")
    half = differences(at_half, declared).assign(threshold="0.5")
    return pd.concat([chosen, half], ignore_index=True)


def _metrics(
    by_seed: list[dict[str, float]], scores: pd.DataFrame, difference: pd.DataFrame
) -> dict[str, float]:
    """Return the metrics for the log.

    They are the mean and standard deviation of each metric over seeds, the intervals on test, the
    ensemble's scores, and the champion's difference to the baseline.
    """
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
    found["over_baseline_p"] = float(first["f1_p_holm"])
    return found
