"""Compare rules for the epoch and the threshold on validation: python benchmarks/choices.py.

Classifiers are trained as a search trains them, and their validation logits are kept after each
epoch. Then the validation entities are halved at random, many times: a rule chooses epoch and
threshold on one half, and what it chose is scored on the other. Test takes no part.

Shapes: E epochs, N validation pairs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks.machine import CPU, machine_precision
from benchmarks.records import save_record
from measures.metrics import (
    ThresholdRule,
    area_under_curve,
    choose_threshold,
    log_loss,
    score,
)
from models.classifier import to_probabilities
from tuning.config.experiment import Experiment
from tuning.data.prepared import prepare
from tuning.data.sources import read_locations
from tuning.training.builders import build_classifier
from tuning.training.evaluation import predict
from tuning.training.inputs import LoadedSplit, build_inputs, without_test
from tuning.training.trainer import Trainer

SHARED = {"encoding": "separate", "overlap_features": True, "targets": "auto", "epochs": 5}
RATES = (1e-3, 1e-2)
LAST = "last"
EPOCH_RULES = ("maximal F1", "AUC", "loss against labels", "loss against targets", LAST)


def train(data: str, encoder: str, seeds: int) -> Iterator[tuple[float, np.ndarray, LoadedSplit]]:
    """Yield learning rate, validation logits (E, N, 2) and the validation split of each training.

    Args:
        data: Data set, as for ``run_grid.py``.
        encoder: Encoder, as for ``run_grid.py``.
        seeds: Number of trainings for each learning rate.
    """
    content = {"name": "choices", "data": data, "encoder": encoder, "trial": SHARED}
    prepared = prepare(Experiment.model_validate(content), read_locations())
    trial = prepared.trials[0]
    with tempfile.TemporaryDirectory() as folder:
        inputs = without_test(build_inputs(prepared, trial, machine_precision(), Path(folder)))
        splits = {name: LoadedSplit(arrays, trial, CPU) for name, arrays in inputs.splits.items()}
        for rate in RATES:
            for seed in range(seeds):
                config = trial.model_copy(update={"learning_rate": rate, "seed": seed})
                model = build_classifier(config, inputs)
                training = Trainer(model, splits["train"], splits["validation"], config)
                logits = []
                while not training.finished:
                    training.run_epoch()
                    logits.append(predict(model, splits["validation"]))
                yield rate, np.stack(logits), splits["validation"]


def rank(rule: str, logits: np.ndarray, labels: np.ndarray, targets: np.ndarray) -> float:
    """Return what a rule for epochs prefers to be high.

    Args:
        rule: One of ``EPOCH_RULES`` but the last.
        logits: Logits of an epoch, float (N, 2).
        labels: Classes, 0 or 1, int (N,).
        targets: Probabilities of the classes that were trained, float (N, 2).
    """
    probabilities = to_probabilities(logits)
    if rule == "maximal F1":
        return choose_threshold(labels, probabilities, "maximum")[1]
    if rule == "AUC":
        return area_under_curve(labels, probabilities)
    if rule == "loss against labels":
        return -log_loss(labels, logits)
    highest = logits.max(axis=1, keepdims=True)
    logarithms = logits - highest - np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
    return float((targets * logarithms).sum(axis=1).mean())


def compare(
    logits: np.ndarray, split: LoadedSplit, halves: list[np.ndarray]
) -> dict[str, list[dict[str, float]]]:
    """Return scores on the other half for each rule, one row per halving.

    Epochs are chosen with the threshold of maximal F1, thresholds with the epoch of least loss
    against the targets.

    Args:
        logits: Validation logits of each epoch, float (E, N, 2).
        split: The validation split.
        halves: For each halving the pairs of the half that chooses, bool (N,).
    """
    labels, targets = split.labels, split.targets.numpy()
    found: dict[str, list[dict[str, float]]] = {}
    for half in halves:
        epochs = {
            rule: int(
                np.argmax([rank(rule, e[half], labels[half], targets[half]) for e in logits])
            )
            for rule in EPOCH_RULES
            if rule != LAST
        }
        epochs[LAST] = len(logits) - 1
        tried: dict[str, tuple[int, ThresholdRule]] = {
            rule: (epoch, "maximum") for rule, epoch in epochs.items()
        }
        tried["threshold: steady"] = (epochs["loss against targets"], "steady")
        for name, (epoch, rule) in tried.items():
            probabilities = to_probabilities(logits[epoch])
            threshold, _ = choose_threshold(labels[half], probabilities[half], rule)
            other = score(labels[~half], probabilities[~half], threshold)
            found.setdefault(name, []).append(
                {
                    "auc": area_under_curve(labels[~half], probabilities[~half]),
                    "f1": other["f1"],
                    "accuracy": other["accuracy"],
                    "epoch": epoch + 1.0,
                    "threshold": threshold,
                }
            )
    return found


def halve(entities: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Return ``count`` random halves of the entities, as the pairs in each, bool (N,).

    Args:
        entities: Codes of the pairs' entities, int (N,), from 0.
        count: Number of halvings.
        seed: Seed of the draws.
    """
    generator, kinds = np.random.default_rng(seed), entities.max() + 1
    drawn = (generator.permutation(kinds)[: kinds // 2] for _ in range(count))
    return [np.isin(entities, chosen) for chosen in drawn]


def summarise(rows: Mapping[str, list[dict[str, float]]], base: str) -> dict[str, Any]:
    """Return means by rule, and the mean and spread of the differences to the base rule."""
    table = {name: {k: np.array([row[k] for row in found]) for k in found[0]}
             for name, found in rows.items()}  # fmt: skip
    return {
        name: {k: float(values.mean()) for k, values in columns.items()}
        | {"threshold_std": float(columns["threshold"].std())}
        | {
            f"{k}_{word}": float(getattr(columns[k] - table[base][k], word)())
            for k in ("auc", "f1", "accuracy")
            for word in ("mean", "std")
        }
        for name, columns in table.items()
    }


def main() -> int:
    """Return 0 after printing the comparison and saving it."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare rules for the epoch and the threshold."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="minilm", help="as for run_grid.py")
    parser.add_argument("--seeds", type=int, default=3, help="trainings for each learning rate")
    parser.add_argument("--halvings", type=int, default=200, help="random halves of the entities")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, dict[str, list[dict[str, float]]]] = {}
    for rate, logits, split in train(args.data, args.encoder, args.seeds):
        found = compare(logits, split, halve(split.entities, args.halvings, seed=0))
        for name, scored in found.items():
            rows.setdefault(f"{rate:g}", {}).setdefault(name, []).extend(scored)
    numbers = {rate: summarise(by_rule, EPOCH_RULES[0]) for rate, by_rule in rows.items()}
    Console().print(numbers)
    settings = {"seeds": args.seeds, "halvings": args.halvings, "encoder": args.encoder}
    print(save_record("choices", {**settings, "rates": numbers}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
