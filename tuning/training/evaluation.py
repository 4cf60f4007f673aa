"""Predictions of a classifier on a split, their scores, and the files that hold both.

Shapes: N pairs of a split, B rows in a batch, C classes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from measures.metrics import area_under_curve, choose_threshold, log_loss, score
from measures.objective import EPOCH_ERROR, EPOCH_F1, EPOCH_LOSS, score_flags
from measures.ranking import auc_standard_error
from models.batches import sorted_batches
from models.classifier import Classifier, to_probabilities
from tuning.training.inputs import LoadedSplit

# from inputs, segments, features and lengths of a ``Batch``
Forward = Callable[[Tensor, Tensor, Tensor | None, Tensor], Tensor]
PREDICTIONS = "predictions.csv"  # file of every prediction, beside the folder of the model
SCORED = ("validation", "test")  # the splits that are scored at the end
_PREFIX = {"validation": "val", "test": "test"}
# what fits a CPU's cache, and what keeps a GPU busy and still needs less memory than training
_TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 16384}


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The scores and predictions of a classifier.

    ``metrics`` are named ``split_metric`` at threshold 0.5, and ``split_metric_at_threshold`` at
    the one that was chosen on validation, which is ``threshold``. Losses are against the labels;
    ``val_target_loss`` is against the targets that were trained. ``labels`` and ``probabilities``
    of class 1 are arrays (N,) by split.
    """

    metrics: dict[str, float]
    labels: dict[str, np.ndarray]
    probabilities: dict[str, np.ndarray]


def evaluate(model: Classifier, splits: Mapping[str, LoadedSplit]) -> Evaluation:
    """Return scores and predictions of validation, and of test if it is among the splits.

    The threshold is chosen on validation alone, by the rule of its split.
    """
    scored = [split for split in SCORED if split in splits]
    logits = {split: predict(model, splits[split]) for split in scored}
    labels = {split: splits[split].labels for split in scored}
    probabilities = {split: to_probabilities(logits[split]) for split in scored}
    threshold, _ = choose_threshold(
        labels["validation"],
        probabilities["validation"],
        splits["validation"].config.threshold_rule,
    )
    metrics = {"threshold": threshold}
    for split in scored:
        name = _PREFIX[split]
        metrics[f"{name}_loss"] = log_loss(labels[split], logits[split])
        metrics[f"{name}_auc"] = area_under_curve(labels[split], probabilities[split])
        for suffix, cut in (("", 0.5), ("_at_threshold", threshold)):
            for metric, value in score(labels[split], probabilities[split], cut).items():
                metrics[f"{name}_{metric}{suffix}"] = value
    metrics[f"val_{EPOCH_LOSS}"] = log_loss(splits["validation"].shares, logits["validation"])
    metrics[f"val_{EPOCH_ERROR}"] = _auc_error(
        splits["validation"], probabilities["validation"], metrics["val_auc"]
    )
    names = ("auc", EPOCH_ERROR, "positive_rate")
    metrics |= score_flags({name: metrics[f"val_{name}"] for name in names})
    return Evaluation(metrics=metrics, labels=labels, probabilities=probabilities)


@torch.no_grad()
def predict(model: Classifier, split: LoadedSplit) -> np.ndarray:
    """Return logits, float32 (N, C): the mean of both orders where the split has both.

    The model is put into eval mode.
    """
    model.eval()
    return predict_with(model, split)


def predict_with(forward: Forward, split: LoadedSplit) -> np.ndarray:
    """Return logits of all pairs, float32 (..., N, C): the mean over the split's orders.

    Args:
        forward: Function from a batch's tensors to logits (..., B, C).
        split: Rows to predict.
    """
    lengths = split.reader.lengths[: split.pairs * split.orders]
    batches = list(sorted_batches(lengths, _TOKENS_PER_BATCH[split.reader.device.type]))
    outputs = [
        forward(batch.inputs, batch.segments, batch.features, batch.lengths)
        for batch in split.reader.read_each(batches)
    ]
    position = torch.from_numpy(np.concatenate(batches).argsort())  # of each row in the outputs
    logits = torch.cat(outputs, dim=-2).cpu()[..., position, :]
    return logits.unflatten(-2, (split.orders, split.pairs)).mean(dim=-3).numpy()


def validate(model: Classifier, split: LoadedSplit) -> tuple[float, dict[str, float]]:
    """Return the loss in nats per pair, and the scores as in ``EpochResult``.

    The model's logits must be finite; it is put into eval mode.
    """
    return score_logits(split, predict(model, split))


def score_logits(split: LoadedSplit, logits: np.ndarray) -> tuple[float, dict[str, float]]:
    """Return the loss in nats per pair, and the scores as in ``EpochResult``.

    Args:
        split: Split that the logits are of.
        logits: Finite numbers, float (N, 2).
    """
    labels, probabilities = split.labels, to_probabilities(logits)
    threshold, f1 = choose_threshold(labels, probabilities, split.config.threshold_rule)
    area = area_under_curve(labels, probabilities)
    return log_loss(labels, logits), {
        **score(labels, probabilities, 0.5),
        "auc": area,
        EPOCH_ERROR: _auc_error(split, probabilities, area),
        "threshold": threshold,
        EPOCH_F1: f1,
        EPOCH_LOSS: log_loss(split.shares, logits),
    }


def _auc_error(split: LoadedSplit, probabilities: np.ndarray, area: float) -> float:
    return auc_standard_error(split.labels, probabilities, split.entities, area)


def write_predictions(
    path: Path, evaluation: Evaluation, index: Mapping[str, tuple[np.ndarray, list[str]]]
) -> None:
    """Write a CSV file with one row for each pair: split, line, group, label, probability.

    Args:
        path: File to write.
        evaluation: Labels and probabilities.
        index: Lines of the pairs in the data file, and their groups, by split.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "line", "group", "label", "probability"])
        for split in evaluation.labels:
            columns = (*index[split], evaluation.labels[split], evaluation.probabilities[split])
            for line, group, label, probability in zip(*columns, strict=True):
                writer.writerow([split, line, group, label, repr(float(probability))])


def read_probabilities(path: Path) -> dict[str, np.ndarray] | None:
    """Return the probabilities that ``write_predictions`` wrote, float (N,) by split.

    Return None if there is no such file.
    """
    found: dict[str, list[float]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["split"], []).append(float(row["probability"]))
    except FileNotFoundError:
        return None
    return {split: np.array(values) for split, values in found.items()}


def largest_difference(
    saved: Mapping[str, np.ndarray] | None, found: Mapping[str, np.ndarray]
) -> float | None:
    """Return the largest difference between probabilities of the same pairs.

    Return None if a saved split was not computed, or has other pairs.
    """
    if not saved or any(len(found.get(split, ())) != len(saved[split]) for split in saved):
        return None
    return max(float(np.abs(found[split] - saved[split]).max()) for split in saved)


def write_confusion(path: Path, evaluation: Evaluation) -> None:
    """Write a JSON file: for each split and threshold the counts [[tn, fp], [fn, tp]]."""
    counts = {}
    for split in evaluation.labels:
        cuts = {"at_0.5": 0.5, "at_threshold": evaluation.metrics["threshold"]}
        labels, probabilities = evaluation.labels[split], evaluation.probabilities[split]
        counts[split] = {
            name: np.bincount(2 * labels + (probabilities >= cut), minlength=4)
            .reshape(2, 2)
            .tolist()
            for name, cut in cuts.items()
        }
    path.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
