"""One trial of a search in a Ray worker: all its seeds or folds trained together and scored."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from measures.metrics import make_objective
from measures.objective import (
    FLAGS,
    OBJECTIVE,
    SEED_MEAN,
    VALIDATION_F1,
    Objective,
    tagged_objective,
)
from models.batches import SplitArrays
from models.split_parts import part_of
from tuning.data.division import draw_folds
from tuning.execution.trial import RESULT, TrialContext, set_up_worker
from tuning.execution.trial_checkpoint import TrialCheckpoint, state_file
from tuning.execution.trial_spec import TrialSpec
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.seeds import SequentialTrainer, train_seeds
from tuning.training.stacked import StackedTrainer
from tuning.training.trainer import EpochResult, Trainer

SHARE = "share_of_epochs"  # in the report of an epoch: how much of the trial is done, up to 1


class SeedScores:
    """The results of a configuration's seeds by epoch, and the best epoch of each seed so far.

    The best epoch has the lowest validation loss against the trained targets; an epoch with a flag
    (it ranks by chance, predicts one class at 0.5, or diverged) is worse than any other, and has
    the floor of the objective as its value, so that a collapse cannot win.

    Args:
        objective: What the trials of the search are ranked by.
        seeds: Number of seeds.
    """

    def __init__(self, objective: Objective, seeds: int) -> None:
        self.objective = objective
        self.best: list[EpochResult | None] = [None] * seeds
        self.diverged = [False] * seeds
        self.history: list[list[EpochResult]] = []

    def update(self, results: list[EpochResult]) -> None:
        """Add an epoch's results, one for each seed."""
        self.history.append(results)
        for seed, result in enumerate(results):
            self.diverged[seed] = result.diverged
            before = self.best[seed]
            if before is None or result.rank > before.rank:
                self.best[seed] = result

    def value(self, result: EpochResult) -> float:
        """Return the value of an epoch."""
        return self.objective.epoch_value(result.scores, sound=result.sound)

    def metrics(self) -> dict[str, float]:
        """Return the means over seeds at each seed's best epoch, and the flags (0 or 1).

        A seed that diverges in any epoch has the floor as its value.
        """
        best = [result for result in self.best if result is not None]
        values = [
            self.objective.floor if diverged else self.value(result)
            for result, diverged in zip(best, self.diverged, strict=True)
        ]
        means = _mean_scores(best)
        return {
            "threshold": means.pop("val_threshold"),
            **means,
            "val_loss": float(np.mean([result.val_loss for result in best])),
            "best_epoch": float(np.mean([result.epoch for result in best])),
            **{flag: max(result.flags[flag] for result in best) for flag in FLAGS},
            "diverged": float(any(self.diverged)),
            SEED_MEAN: float(np.mean(values)),
            "objective_std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return every epoch's results, from which all else is computed."""
        return {"history": json.dumps([[asdict(r) for r in results] for results in self.history])}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that ``state_dict`` returned."""
        for results in json.loads(state["history"]):
            self.update([EpochResult(**result) for result in results])


def _mean_scores(results: Sequence[EpochResult]) -> dict[str, float]:
    names = results[0].scores
    return {f"val_{name}": float(np.mean([r.scores[name] for r in results])) for name in names}


def run_search_trial(config: dict[str, Any], context: TrialContext) -> None:
    """Train the configuration that Optuna drew and report the means of its seeds each epoch.

    With folds, each seed is trained on all folds but one, which validates it.

    Args:
        config: ``TrialSpec.to_point()`` under the key ``point``.
        context: What the launch shares with its trials.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    spec = TrialSpec.from_point(config["point"])
    inputs, device = set_up_worker(spec.trial, context)
    started = time.perf_counter()
    start = start_seeds if inputs.pool is None else start_folds
    training, labels = start(spec, inputs, device)
    objective = make_objective(tagged_objective(spec.tags), labels)
    seed_scores = SeedScores(objective, len(spec.seeds))
    checkpoint = TrialCheckpoint(
        state_file(context.storage, spec), {"training": training, "standing": seed_scores}
    )
    before = checkpoint.seconds
    while not training.finished:
        results = training.run_epoch()
        seed_scores.update(results)
        seconds = before + time.perf_counter() - started
        best = seed_scores.metrics() | {"seconds": seconds}
        checkpoint.report(report_of(results, best, spec.trial.epochs))
    seconds = before + time.perf_counter() - started
    metrics = seed_scores.metrics() | {"seconds": seconds}
    with tempfile.TemporaryDirectory() as folder:
        write_seeds(Path(folder), metrics, spec.seeds, seed_scores.history)
        checkpoint.finish(compared(metrics), Path(folder))


def start_seeds(
    spec: TrialSpec, inputs: SharedInputs, device: torch.device
) -> tuple[StackedTrainer | SequentialTrainer, np.ndarray]:
    """Return the training of a trial's seeds, and the labels of the pairs that validate it, (N,).

    Args:
        spec: Specification of the trial.
        inputs: What the trial shares with others.
        device: Device to train on.
    """
    train, validation = _load(inputs, spec, device)
    models = [
        build_classifier(spec.trial.model_copy(update={"seed": seed}), inputs).to(device)
        for seed in spec.seeds
    ]
    return train_seeds(models, train, validation, spec.trial), validation.labels


def start_folds(
    spec: TrialSpec, inputs: SharedInputs, device: torch.device
) -> tuple[SequentialTrainer, np.ndarray]:
    """Return the training of a trial's folds, and the labels of all pairs, (N,).

    Fold n validates the classifier with the trial's seed n, which learns from the other folds.
    The folds are drawn from the first seed and the trial's number: each trial has others, so that
    no configuration is chosen because it suits one division (Nagler et al., 2024), and one that is
    resumed has the same. Tokens and states are not copied.

    Args:
        spec: Specification of the trial.
        inputs: What the trial shares with others; with a pool.
        device: Device to train on.

    Raises:
        ValueError: If a fold would not have both labels.
    """
    pool = inputs.pool
    assert pool is not None, "the launch has folds"
    divided = fold_splits(pool, spec)
    trainings = []
    for seed, splits in zip(spec.seeds, divided, strict=True):
        own = replace(inputs, splits=splits)
        model = build_classifier(spec.trial.model_copy(update={"seed": seed}), own).to(device)
        train, validation = _load(own, spec, device)
        trainings.append(Trainer(model, train, validation, spec.trial))
    return SequentialTrainer(trainings), pool.labels


def fold_splits(pool: SplitArrays, spec: TrialSpec) -> list[dict[str, SplitArrays]]:
    """Return for each fold of a trial its own pairs as validation, and all others as train."""
    folds, number = int(spec.params["folds"]), int(spec.tags["optuna_trial"])
    chosen = draw_folds(pool.entities, pool.labels, folds, [spec.seeds[0], number])
    return [
        {
            "train": part_of(pool, np.flatnonzero(chosen != fold)),
            "validation": part_of(pool, np.flatnonzero(chosen == fold)),
        }
        for fold in range(folds)
    ]


def _load(inputs: SharedInputs, spec: TrialSpec, device: torch.device) -> list[LoadedSplit]:
    """Return the splits train and validation on a device."""
    names = ("train", "validation")
    return [LoadedSplit(inputs.splits[name], spec.trial, device) for name in names]


def report_of(results: list[EpochResult], best: dict[str, float], epochs: int) -> dict[str, Any]:
    """Return an epoch's report: the means over its seeds, and the best metrics so far.

    Args:
        results: The epoch's result of each seed.
        best: ``SeedScores.metrics``.
        epochs: Number of the trial's epochs.
    """
    epoch = max(result.epoch for result in results)
    return {
        "epoch": epoch,
        SHARE: epoch / epochs,
        "train_loss": float(np.mean([result.train_loss for result in results])),
        "val_loss": float(np.mean([result.val_loss for result in results])),
        **_mean_scores(results),
        "seconds": sum(result.seconds for result in results),
        "best": best,
        **compared(best),
    }


def compared(best: Mapping[str, float]) -> dict[str, float]:
    """Return what Ray and the terminal see of a trial: its value, and its validation F1."""
    return {SEED_MEAN: best[SEED_MEAN], OBJECTIVE: best[VALIDATION_F1]}


def write_seeds(
    folder: Path, metrics: dict[str, float], seeds: Sequence[int], history: list[list[EpochResult]]
) -> None:
    """Write final metrics, and the losses and scores of every seed and epoch, into ``folder``."""
    (folder / RESULT).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    rows = [
        {"seed": seed, "epoch": result.epoch, "train_loss": result.train_loss}
        | {"val_loss": result.val_loss, **result.scores}
        for results in history
        for seed, result in zip(seeds, results, strict=True)
    ]
    (folder / "seeds.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
