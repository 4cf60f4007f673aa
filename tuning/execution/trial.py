"""One trial in a Ray worker: train a classifier, report each epoch, score it once, save it."""

from __future__ import annotations

import gc
import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch

from measures.objective import OBJECTIVE
from models.checkpoint import save_classifier
from models.classifier import Classifier
from models.parameter_counts import trained_parameters
from models.precision import choose_device, describe_device, use_full_float32
from models.split_parts import place_splits
from tuning.config.experiment import TrialConfig
from tuning.execution.trial_checkpoint import TrialCheckpoint, state_file
from tuning.execution.trial_spec import TrialSpec
from tuning.system.machine import device_record
from tuning.system.storage_path import StoragePath
from tuning.training.attention_maps import map_errors, write_attention
from tuning.training.builders import build_classifier, head_arguments
from tuning.training.evaluation import (
    PREDICTIONS,
    Evaluation,
    evaluate,
    write_confusion,
    write_predictions,
)
from tuning.training.gpu_memory import limit_memory
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.trainer import EpochResult, Trainer

RESULT = "result.json"  # file of the final metrics, among those that a trial saves


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialContext:
    """What Ray gives to each trial of a launch.

    Attributes:
        inputs: References to the shared inputs in Ray's object store, by ``input_key``.
        threads: Number of threads that a trial may use.
        gpu_share: Fraction of a GPU that a trial has; 0 without a GPU.
        storage: Folder or URI of the launch, which all machines reach.
    """

    inputs: Mapping[str, ray.ObjectRef]
    threads: int
    gpu_share: float = 0
    storage: StoragePath


class WorkerInputs:
    """The shared inputs that a worker process keeps from trial to trial, on its device.

    Ray runs many trials in one process, each of which would read their layers and copy their
    states to a GPU again. A variant is dropped before another comes: memory never holds two.

    Args:
        fetch: Function from a reference to the inputs.
    """

    def __init__(self, fetch: Callable[[Any], SharedInputs]) -> None:
        self._fetch = fetch
        self._kept: tuple[object, torch.device, SharedInputs] | None = None

    def get(self, reference: object, device: torch.device) -> SharedInputs:
        """Return the inputs behind a reference, with the cached states on the device."""
        if self._kept is not None and self._kept[:2] != (reference, device):
            self._kept = None
            gc.collect()  # optimizer and schedule of the trial before hold each other
            torch.cuda.empty_cache()  # what is free decides where states are placed
        if self._kept is None:
            found = self._fetch(reference)
            pool = {} if found.pool is None else {"": found.pool}
            placed = place_splits({**found.splits, **pool}, device)
            found = replace(found, pool=placed.pop("", None), splits=placed)
            self._kept = (reference, device, found)
        return self._kept[2]


class BestEpoch:
    """The weights of the best epoch so far; before the first epoch, the initial weights.

    The best epoch has the lowest validation loss against the trained targets. A flagged epoch,
    which ranks by chance or predicts one class for every validation pair at 0.5, is worse than
    any other. A diverged epoch never counts.

    Args:
        model: Classifier with its initial weights.

    Attributes:
        epoch: Number of the best epoch; 0 if there is none.
        f1: Validation F1 of that epoch at its threshold, in [0, 1]; 0 if there is none.
    """

    def __init__(self, model: Classifier) -> None:
        self.epoch = 0
        self.f1 = 0.0
        self._rank = (False, -math.inf)
        self._state = self._copy(model)

    def update(self, model: Classifier, result: EpochResult) -> None:
        """Copy the model's weights if this epoch is better than all before."""
        if not result.diverged and result.rank > self._rank:
            self.epoch, self.f1, self._rank = result.epoch, result.f1, result.rank
            self._state = self._copy(model)

    def restore(self, model: Classifier) -> None:
        """Load the weights of the best epoch into the model."""
        model.load_state_dict(model.state_dict() | self._state)

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch and its weights; the tensors are not copies."""
        sound, loss = self._rank[0], -self._rank[1]
        scores = {"epoch": self.epoch, "f1": float(self.f1), "sound": sound, "loss": loss}
        return {**scores, "weights": self._state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.epoch, self.f1 = state["epoch"], state["f1"]
        self._rank, self._state = (state["sound"], -state["loss"]), state["weights"]

    @staticmethod
    def _copy(model: Classifier) -> dict[str, torch.Tensor]:
        return {name: weight.clone() for name, weight in model.trained_state().items()}


_KEPT = WorkerInputs(ray.get)  # nothing but the process lasts from one of its trials to the next


def run_trial(config: dict[str, Any], context: TrialContext) -> None:
    """Train the configuration that Ray chose and report each epoch; the driver writes the log.

    A trial that ran before in this launch continues from its last epoch. At the end, every split
    in the shared inputs is scored. Test scores are written to the checkpoint's files and are not
    reported, so that no searcher or scheduler ever sees them.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    spec = TrialSpec.from_point(config["point"])
    trial = spec.trial
    inputs, device = set_up_worker(trial, context)
    started = time.perf_counter()
    splits = {name: LoadedSplit(arrays, trial, device) for name, arrays in inputs.splits.items()}
    model = build_classifier(trial, inputs).to(device)
    trainer = Trainer(model, splits["train"], splits["validation"], trial)
    best = BestEpoch(model)
    checkpoint = TrialCheckpoint(
        state_file(context.storage, spec), {"training": trainer, "best": best}
    )
    before = checkpoint.seconds
    while not trainer.finished:
        result = trainer.run_epoch()
        best.update(model, result)
        checkpoint.report(epoch_metrics(result, best.f1))
    best.restore(model)
    evaluation = evaluate(model, splits)
    maps = map_errors(model, splits, inputs, evaluation)
    training_metrics = {
        **trained_parameters(model),
        "best_epoch": best.epoch,
        **({"batch_parts": trainer.parts} if trainer.parts > 1 else {}),
        "diverged": float(trainer.result is not None and trainer.result.diverged),
        "seconds": before + time.perf_counter() - started,
    }
    evaluation = replace(evaluation, metrics=evaluation.metrics | training_metrics)
    with tempfile.TemporaryDirectory() as folder:
        save_outcome(Path(folder), model, trial, inputs, evaluation)
        write_attention(Path(folder) / "attention.json", maps)
        checkpoint.finish({OBJECTIVE: best.f1}, Path(folder))


def input_key(trial: TrialConfig) -> str:
    """Return the key of the shared inputs that a trial needs."""
    mean = ", layer mean" if trial.layer_mean else ""
    return f"{trial.encoding}, {trial.freezing} frozen{mean}"


def set_up_worker(trial: TrialConfig, context: TrialContext) -> tuple[SharedInputs, torch.device]:
    """Set how torch computes here; return the trial's shared inputs and its device."""
    torch.set_num_threads(context.threads)
    use_full_float32()
    device = device_of(ray.get_gpu_ids())
    if device.type == "cuda":
        limit_memory(context.gpu_share)
    return _KEPT.get(context.inputs[input_key(trial)], device), device


def device_of(assigned: Sequence[object]) -> torch.device:
    """Return the device of a worker: a GPU only if Ray assigned one, though torch sees others.

    Args:
        assigned: What Ray says of the GPUs that it gave this worker.
    """
    return choose_device() if assigned else torch.device("cpu")


def epoch_metrics(result: EpochResult, best: float) -> dict[str, float]:
    """Return an epoch's report: losses, validation scores, seconds, F1 of the best so far."""
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
        "precision": str(inputs.precision),
        "device": device_record(describe_device(model.device), _gpus()),
        "trial": trial.model_dump(),
        "metrics": evaluation.metrics,
    }
    save_classifier(folder / "model", model, card)
    save_predictions(folder, evaluation, inputs)


def _gpus() -> int:
    """Return the number of GPUs of the Ray session."""
    return int(ray.cluster_resources().get("GPU", 0))


def save_predictions(folder: Path, evaluation: Evaluation, inputs: SharedInputs) -> None:
    """Write every prediction, the confusion counts and the metrics."""
    write_predictions(folder / PREDICTIONS, evaluation, inputs.index)
    write_confusion(folder / "confusion.json", evaluation)
    (folder / RESULT).write_text(json.dumps(evaluation.metrics, indent=2) + "\n", encoding="utf-8")
