"""One trial in a Ray worker: train, report each epoch, score once, save."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune

from models.checkpoint import save_classifier
from models.classifier import Classifier
from models.encoder import EncoderPart
from models.heads import build_head
from tuning.batches import SplitArrays
from tuning.config import TrialConfig
from tuning.evaluation import Evaluation, evaluate, write_confusion, write_predictions
from tuning.training import EpochResult, LoadedSplit, fit

OBJECTIVE = "best_val_f1_at_threshold"
RESULT = "result.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What all trials of one freezing depth share; lives in Ray's object store.

    ``lower`` is None when the splits hold its states; ``index`` gives the lines and the groups of
    each split's pairs.
    """

    splits: Mapping[str, SplitArrays]
    index: Mapping[str, tuple[np.ndarray, list[str]]]
    lower: EncoderPart | None
    upper: EncoderPart
    width: int
    precision: str
    card: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """Where each trial finds its material: a reference by value of ``freezing``; its threads."""

    materials: Mapping[str, ray.ObjectRef]
    threads: int


class BestEpoch:
    """The weights of the epoch with the highest objective; those given at first if none is."""

    def __init__(self, model: Classifier) -> None:
        self.epoch = 0
        self.objective = 0.0
        self._state = self._copy(model)

    def update(self, model: Classifier, result: EpochResult) -> None:
        """Keep the model's weights if this epoch is better than all before."""
        if not result.diverged and result.objective > self.objective:
            self.epoch, self.objective = result.epoch, result.objective
            self._state = self._copy(model)

    def restore(self, model: Classifier) -> None:
        """Put the kept weights back into the model."""
        model.load_state_dict(model.state_dict() | self._state)

    @staticmethod
    def _copy(model: Classifier) -> dict[str, torch.Tensor]:
        return {name: weight.clone() for name, weight in model.trained_state().items()}


def run_trial(config: dict[str, Any], shared: Shared) -> None:
    """Train the configuration Ray chose and report each epoch; the driver writes the log.

    Test scores go into the checkpoint's files and not into what is reported, so that neither a
    searcher nor a scheduler ever holds them.
    """
    trial = TrialConfig(**config["trial"])
    torch.set_num_threads(shared.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    material: Material = ray.get(shared.materials[str(trial.freezing)])
    started = time.perf_counter()
    splits = {name: LoadedSplit(s, trial, device) for name, s in material.splits.items()}
    model = build_classifier(trial, material).to(device)
    best = BestEpoch(model)
    diverged = False
    for result in fit(model, splits["train"], splits["validation"], trial):
        best.update(model, result)
        diverged = result.diverged
        tune.report(epoch_metrics(result, best.objective))
    best.restore(model)
    evaluation = evaluate(model, splits)
    seconds = time.perf_counter() - started
    metrics = evaluation.metrics | {
        "best_epoch": best.epoch,
        "diverged": float(diverged),
        "seconds": seconds,
    }
    with tempfile.TemporaryDirectory() as folder:
        save_outcome(Path(folder), model, trial, material, evaluation, metrics)
        checkpoint = tune.Checkpoint.from_directory(folder)
        tune.report({OBJECTIVE: best.objective, "finished": True}, checkpoint=checkpoint)


def build_classifier(trial: TrialConfig, material: Material) -> Classifier:
    """Return a classifier with the encoder's weights and a head drawn from the trial's seed."""
    torch.manual_seed(trial.seed)
    head = build_head(**head_arguments(trial, material.width))
    precision = getattr(torch, material.precision)
    return Classifier(material.lower, material.upper, head, precision=precision)


def head_arguments(trial: TrialConfig, width: int) -> dict[str, Any]:
    """Return the arguments of ``build_head`` for this trial on an encoder of this width."""
    return {
        "name": trial.head,
        "width": width,
        "head_width": trial.head_width,
        "dropout": trial.dropout,
    }


def epoch_metrics(result: EpochResult, best: float) -> dict[str, float]:
    """Return what is reported of an epoch: its losses, its validation scores, the best so far."""
    return {
        "epoch": result.epoch,
        "train_loss": result.train_loss,
        "val_loss": result.val_loss,
        **{f"val_{name}": value for name, value in result.scores.items()},
        "seconds": result.seconds,
        OBJECTIVE: best,
    }


def save_outcome(
    folder: Path,
    model: Classifier,
    trial: TrialConfig,
    material: Material,
    evaluation: Evaluation,
    metrics: dict[str, float],
) -> None:
    """Write the classifier, every prediction, the confusion counts and the metrics."""
    card = {
        **material.card,
        "head": head_arguments(trial, material.width),
        "precision": material.precision,
        "trial": trial.model_dump(),
        "metrics": metrics,
    }
    save_classifier(folder / "model", model, card)
    write_predictions(folder / "predictions.csv", evaluation, material.index)
    write_confusion(folder / "confusion.json", evaluation)
    (folder / RESULT).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
