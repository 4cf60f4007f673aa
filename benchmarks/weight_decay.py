"""Compare decay of all weights with decay that spares biases: python benchmarks/weight_decay.py.

Each seed of the default trial of the grid is trained twice from the same initial weights, in the
same order: weight decay takes every trained weight, as the tuner's optimizers do, or spares what
is no matrix: biases and the scales of norms. Scored on validation; test takes no part.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.machine import CPU, machine_precision
from benchmarks.records import save_record
from tuning.config.experiment import Experiment, TrialConfig
from tuning.data.prepared import prepare
from tuning.data.sources import read_locations
from tuning.training.builders import (
    build_classifier,
    build_optimizer,
    build_schedule,
    parameter_groups,
)
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs, without_test
from tuning.training.trainer import Trainer

GRID = {"epochs": 3, "min_steps": 200, "optimizer": "adamw", "learning_rate": 1e-3}
DECAYS = (0.01, 0.1)  # the default, and the strongest that a search draws
METRICS = {"val_auc": "auc", "val_f1_at_threshold": "f1_at_threshold", "val_loss": "target_loss"}
ALL, SPARED = "all", "spared"
Scores = dict[str, list[float]]  # by metric, a value per seed


def spare_vectors(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return groups of weights in which what has fewer than two dimensions does not decay.

    Args:
        groups: ``parameter_groups``.
    """
    found = []
    for group in groups:
        vectors = [weight for weight in group["params"] if weight.ndim < 2]
        matrices = [weight for weight in group["params"] if weight.ndim >= 2]
        found += [{**group, "params": matrices}, {**group, "params": vectors, "weight_decay": 0.0}]
    return [group for group in found if group["params"]]


def start(
    config: TrialConfig, inputs: SharedInputs, splits: dict[str, LoadedSplit], decayed: str
) -> Trainer:
    """Return the training of a seed, whose optimizer decays all weights or spares vectors.

    Args:
        config: Configuration of the trial.
        inputs: Inputs of the trial.
        splits: Splits ``train`` and ``validation``.
        decayed: ``ALL`` or ``SPARED``.
    """
    model = build_classifier(config, inputs)
    training = Trainer(model, splits["train"], splits["validation"], config)
    if decayed == SPARED:
        groups = spare_vectors(parameter_groups(model, config))
        training.optimizer = build_optimizer(groups, config)
        training.schedule = build_schedule(training.optimizer, splits["train"].pairs, config)
    return training


def best_scores(training: Trainer) -> dict[str, float]:
    """Train to the end; return the validation scores of the best epoch by ``EpochResult.rank``."""
    results = []
    while not training.finished:
        results.append(training.run_epoch())
    best = max(results, key=lambda result: result.rank)
    return {metric: best.scores[name] for metric, name in METRICS.items()}


def measure(
    inputs: SharedInputs, trial: TrialConfig, seeds: int, console: Console
) -> list[dict[str, Any]]:
    """Return for each decay its ``weight_decay``, and by ``ALL`` and ``SPARED`` the scores.

    Args:
        inputs: Inputs without test.
        trial: Trial of any seed.
        seeds: Number of seeds.
        console: Terminal that shows each training.
    """
    splits = {name: LoadedSplit(arrays, trial, CPU) for name, arrays in inputs.splits.items()}
    cases = []
    for decay in DECAYS:
        scores: dict[str, Scores] = {}
        for seed in range(seeds):
            config = trial.model_copy(update={"weight_decay": decay, "seed": seed})
            for decayed in (ALL, SPARED):
                found = best_scores(start(config, inputs, splits, decayed))
                console.print(f"decay {decay:g}, seed {seed}, {decayed}: {found}")
                for metric, value in found.items():
                    scores.setdefault(decayed, {}).setdefault(metric, []).append(value)
        cases.append({"weight_decay": decay, **scores})
    return cases


def main() -> int:
    """Return 0 after printing the comparison and saving it."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare decay of all weights with that of matrices alone."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="minilm", help="as for run_grid.py")
    parser.add_argument("--freezing", default="all", help="frozen layers: all, some, none")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each kind")
    args = parser.parse_args()
    torch.set_num_threads(1)
    content = {"name": "weight_decay", "data": args.data, "encoder": args.encoder,
               "trial": {**GRID, "freezing": args.freezing}}  # fmt: skip
    prepared = prepare(Experiment.model_validate(content), read_locations())
    trial = prepared.trials[0]
    with tempfile.TemporaryDirectory() as folder:
        inputs = without_test(build_inputs(prepared, trial, machine_precision(), Path(folder)))
        cases = measure(inputs, trial, args.seeds, Console())
    numbers = {"data": prepared.data_source.name, "encoder": prepared.encoder_source.name,
               "freezing": args.freezing, "cases": cases}  # fmt: skip
    print(save_record(f"weight_decay_{args.freezing}", numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
