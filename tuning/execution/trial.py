"""One trial in a Ray worker: train, report each epoch, score once, save."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch

from measures.objective import OBJECTIVE
from models.checkpoint import save_classifier
from models.classifier import Classifier
from models.precision import choose_device
from tuning.config.experiment import TrialConfig
from tuning.execution.trial_checkpoint import TrialCheckpoint, state_file
from tuning.execution.trial_spec import TrialSpec
from tuning.system.storage_path import StoragePath
from tuning.training.attention_maps import (
    map_errors,
    write_attention,
)
from tuning.training.builders import build_classifier, head_arguments
from tuning.training.evaluation import Evaluation, evaluate, write_confusion, write_predictions
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.trainer import EpochResult, Trainer

RESULT = "result.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialContext:
    """Where each trial finds its material: a reference by value of ``freezing``.

    ``threads`` are those it may use, ``storage`` is the launch's, which all machines reach.
    """

    inputs: Mapping[str, ray.ObjectRef]
    threads: int
    storage: StoragePath


class BestEpoch:
    """The weights of the best epoch; those given at first if none is.

    One that says the same of every validation pair at 0.5 is worse than any that does not.
    """

    def __init__(self, model: Classifier) -> None:
        self.epoch = 0
        self.objective = 0.0
        self._sound = False
        self._state = self._copy(model)

    def update(self, model: Classifier, result: EpochResult) -> None:
        """Keep the model's weights if this epoch is better than all before."""
        rank = (not result.collapsed, result.objective)
        if not result.diverged and rank > (self._sound, self.objective):
            self.epoch, (self._sound, self.objective) = result.epoch, rank
            self._state = self._copy(model)

    def restore(self, model: Classifier) -> None:
        """Put the kept weights back into the model."""
        model.load_state_dict(model.state_dict() | self._state)

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept, not copied."""
        standing = {"epoch": self.epoch, "objective": float(self.objective), "sound": self._sound}
        return {**standing, "weights": self._state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` gave."""
        self.epoch, self.objective = state["epoch"], state["objective"]
        self._sound, self._state = state["sound"], state["weights"]

    @staticmethod
    def _copy(model: Classifier) -> dict[str, torch.Tensor]:
        return {name: weight.clone() for name, weight in model.trained_state().items()}


def run_trial(config: dict[str, Any], context: TrialContext) -> None:
    """Train the configuration Ray chose and report each epoch; the driver writes the log.

    It goes on from where the same configuration was left in this launch, if it was. What is
    scored at the end are the splits that the material has. Test scores go into the
    checkpoint's files and not into what is reported, so that neither a searcher nor a scheduler
    ever holds them.
    """
    spec = TrialSpec.from_point(config["point"])
    trial = spec.trial
    inputs, device = set_up_worker(trial, context)
    started = time.perf_counter()
    splits = {name: LoadedSplit(s, trial, device) for name, s in inputs.splits.items()}
    model = build_classifier(trial, inputs).to(device)
    training = Trainer(model, splits["train"], splits["validation"], trial)
    best = BestEpoch(model)
    checkpoint = TrialCheckpoint(
        state_file(context.storage, spec), {"training": training, "best": best}
    )
    before = checkpoint.seconds
    while not training.finished:
        result = training.run_epoch()
        best.update(model, result)
        checkpoint.report(epoch_metrics(result, best.objective))
    best.restore(model)
    evaluation = evaluate(model, splits)
    maps = map_errors(model, splits, inputs, evaluation)
    of_training = {
        "best_epoch": best.epoch,
        "diverged": float(training.result is not None and training.result.diverged),
        "seconds": before + time.perf_counter() - started,
    }
    evaluation = replace(evaluation, metrics=evaluation.metrics | of_training)
    with tempfile.TemporaryDirectory() as folder:
        save_outcome(Path(folder), model, trial, inputs, evaluation)
        write_attention(Path(folder) / "attention.json", maps)
        checkpoint.finish(best.objective, Path(folder))


def set_up_worker(trial: TrialConfig, context: TrialContext) -> tuple[SharedInputs, torch.device]:
    """Set the worker's threads; return what the trial shares with others, and its device."""
    torch.set_num_threads(context.threads)
    device = choose_device()
    return ray.get(context.inputs[str(trial.freezing)]), device


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
    inputs: SharedInputs,
    evaluation: Evaluation,
) -> None:
    """Write the classifier, every prediction, the confusion counts and the metrics."""
    card = {
        **inputs.card,
        "head": head_arguments(trial, inputs.width),
        "precision": inputs.precision,
        "trial": trial.model_dump(),
        "metrics": evaluation.metrics,
    }
    save_classifier(folder / "model", model, card)
    save_predictions(folder, evaluation, inputs)


def save_predictions(folder: Path, evaluation: Evaluation, inputs: SharedInputs) -> None:
    """Write every prediction, the confusion counts and the metrics."""
    write_predictions(folder / "predictions.csv", evaluation, inputs.index)
    write_confusion(folder / "confusion.json", evaluation)
    (folder / RESULT).write_text(json.dumps(evaluation.metrics, indent=2) + "\n", encoding="utf-8")
