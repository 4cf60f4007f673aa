"""Parts of benchmarks/gpu.py that compare numbers: GPU and CPU, repeated and resumed trainings."""

from __future__ import annotations

import os
import statistics
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.gpu_bench import Bench
from benchmarks.gpu_rates import tensor_float32
from models.checkpoint import WEIGHTS, read_card, save_classifier
from models.classifier import Classifier, to_probabilities
from models.encoder import load_encoder
from models.heads import build_head
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.system.checkpoint_file import load_state, save_state
from tuning.system.storage_path import StoragePath
from tuning.training.builders import head_arguments
from tuning.training.evaluation import predict
from tuning.training.inputs import LoadedSplit, SharedInputs, split_arrays
from tuning.training.trainer import Trainer

_EPOCHS = 3  # of the trainings that are repeated
_PRECISIONS = ("float32", "tf32", "bfloat16", "float16")


def probabilities(bench: Bench) -> dict[str, Any]:
    """Return how far each way of computing a saved classifier is from the CPU in float32.

    The classifier was trained on the device, with the upper half of the embedded encoder; every
    way starts from the word pieces of the validation pairs.
    """
    prepared = bench.embedded
    saved = bench.folder / "saved"
    _train_and_save(bench, prepared, saved)
    cpu = torch.device("cpu")
    expected = _predict(prepared, saved, "eager", "float32", cpu)
    ways = [("cpu", "sdpa", "float32"), ("cpu", "eager", "bfloat16")]
    if bench.device.type == "cuda":
        ways += [("cuda", way, name) for way in ("eager", "sdpa") for name in _PRECISIONS]
    numbers: dict[str, Any] = {"pairs": len(expected), "spread": float(expected.std())}
    for device, attention, precision in ways:
        found = _predict(prepared, saved, attention, precision, torch.device(device))
        apart = np.abs(found - expected)
        numbers[f"{device} {attention} {precision}"] = {
            "largest": float(apart.max()),
            "mean": float(apart.mean()),
            "flipped": int(((found >= 0.5) != (expected >= 0.5)).sum()),
        }
    return numbers


def _train_and_save(bench: Bench, prepared: Prepared, folder: Path) -> None:
    depth = prepared.encoder.layers // 2
    trial = bench.trial(prepared, freezing=depth, epochs=_EPOCHS)
    inputs = bench.inputs(prepared, depth)
    trainer = bench.trainer(inputs, trial)
    while not trainer.finished:
        trainer.run_epoch()
    head = head_arguments(trial, inputs.width)
    card = {**inputs.card, "head": head, "precision": str(inputs.precision)}
    save_classifier(folder, trainer.model, card)


def load_saved(
    prepared: Prepared, folder: Path, attention: str, precision: str, device: torch.device
) -> Classifier:
    """Return a saved classifier with this implementation of attention, precision and device."""
    card = read_card(folder)
    lower, upper = load_encoder(
        prepared.encoder.folder,
        card["encoder"]["depth"],
        attention="eager" if attention == "eager" else "sdpa",
    )
    head = build_head(**card["head"])
    model = Classifier(lower, upper, head, precision=getattr(torch, precision))
    model.load_state_dict(model.state_dict() | load_file(folder / WEIGHTS))
    return model.eval().to(device)


def _predict(
    prepared: Prepared, folder: Path, attention: str, precision: str, device: torch.device
) -> np.ndarray:
    """Return the probability of each validation pair, float64 (N,)."""
    name = "float32" if precision == "tf32" else precision
    model = load_saved(prepared, folder, attention, name, device)
    tables = {"validation": prepared.tokens.splits["validation"]}
    arrays = split_arrays(prepared.pairs, tables, {}, overlap=False)["validation"]
    with tensor_float32() if precision == "tf32" else nullcontext():
        split = LoadedSplit(arrays, prepared.trials[0], device)
        return to_probabilities(predict(model, split))


def repeats(bench: Bench, *, deterministic: bool) -> dict[str, Any]:
    """Return milliseconds a step, and whether equal trainings end with equal bits.

    The same training runs twice, and a third time interrupted: saved to a file after its first
    epoch and continued by another trainer. The numbers are the largest differences of a weight
    or an epoch's loss from the first; ``warned`` names what has no deterministic kernel.

    Args:
        bench: Device, data and encoders.
        deterministic: Whether torch may only use deterministic kernels; it stays so.
    """
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    prepared = bench.large
    layers = prepared.encoder.layers
    cases = (("cross_attention", layers), ("bilstm_attention", layers))
    cases += (("cross_attention", max(layers - 2, 0)),)
    numbers: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for head, depth in cases:
            trial = bench.trial(prepared, freezing=depth, head=head, epochs=_EPOCHS)
            name = f"{head} trained_{layers - depth}"
            numbers[name] = _repeat(bench, bench.inputs(prepared, depth), trial)
    lines = {str(warning.message).splitlines()[0] for warning in caught}
    numbers["warned"] = sorted(line for line in lines if "determinis" in line)
    return numbers


def _repeat(bench: Bench, inputs: SharedInputs, trial: TrialConfig) -> dict[str, Any]:
    def begin() -> Trainer:
        return bench.trainer(inputs, trial)

    first, second, before, resumed = (begin() for _ in range(4))
    results = [_losses_of(training) for training in (first, second)]
    before.run_epoch()
    file = StoragePath(str(bench.folder / f"state-{os.getpid()}"))
    save_state(file, before.state_dict(), [])
    found = load_state(file)
    assert found is not None, "the state was just saved"
    resumed.load_state_dict(found[0])
    results.append(_losses_of(resumed))
    seconds = [result[2] for result in results[1][1:]]  # the first epochs warm up
    steps = -(-first.train.pairs // trial.batch_size)
    return {
        "milliseconds": 1000 * statistics.median(seconds) / steps,
        "repeated": _difference(first, second, results[0], results[1]),
        "resumed": _difference(first, resumed, results[0][1:], results[2]),
    }


def _losses_of(training: Trainer) -> list[tuple[float, float, float]]:
    """Finish the training; return the train loss, validation loss and seconds of each epoch."""
    found = []
    while not training.finished:
        result = training.run_epoch()
        found.append((result.train_loss, result.val_loss, result.seconds))
    return found


def _difference(
    one: Trainer,
    other: Trainer,
    losses: list[tuple[float, float, float]],
    others: list[tuple[float, float, float]],
) -> dict[str, float]:
    return {
        "weights": _furthest(one.model.trained_state(), other.model.trained_state()),
        "losses": max(
            abs(a - b)
            for mine, theirs in zip(losses, others, strict=True)
            for a, b in zip(mine[:2], theirs[:2], strict=True)
        ),
    }


def _furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest difference of a weight; 0 only if all bits are equal."""
    return max(float((weight - other[name]).abs().max()) for name, weight in one.items())
