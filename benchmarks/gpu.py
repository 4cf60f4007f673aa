"""Measure a GPU without Ray: python benchmarks/gpu.py [--data FOLDER] [--encoder FOLDER].

The script compares the frozen pass over the data in both orders with the measured rate of matrix
products, and times the twelve-cell grid with three seeds and five epochs, seeds stacked and one by
one. ``--device cpu`` with few pairs tests the script itself.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inputs import random_distilbert, whole_encoder
from benchmarks.machine import machine_precision, matrix_rate, seconds_of
from benchmarks.records import save_record
from tuning.config.experiment import TrialConfig
from tuning.config.loader import load_experiment
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import read_locations
from tuning.system.project import ROOT
from tuning.training.activation_cache import encode
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs
from tuning.training.seeds import can_stack, fit_seeds
from tuning.training.trainer import fit

SEEDS, EPOCHS = 3, 5


def frozen_pass(prepared: Prepared, device: torch.device, precision: torch.dtype) -> float:
    """Return the operations per second of the encoder's pass over all splits, in both orders."""
    frozen = whole_encoder(prepared, precision, device)
    tables = list(prepared.tokens.splits.values())

    def work() -> None:
        for table in tables:
            encode(frozen, table)

    with FlopCounterMode(display=False) as counter:  # the first pass is slower: it is not timed
        work()
    return counter.get_total_flops() / seconds_of(work, device)


def grid_seconds(prepared: Prepared, device: torch.device, *, stacked: bool) -> dict[str, float]:
    """Return the seconds for computing the states (``shared``) and for training the grid."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        precision = machine_precision()
        inputs = {
            depth: build_inputs(prepared, depth, precision, Path(folder))
            for depth in prepared.depths
        }
        shared = time.perf_counter() - started
    started = time.perf_counter()
    for trial in prepared.trials:
        train_seeds(trial, inputs[prepared.depth_of(trial)], device, stacked=stacked)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return {"shared": shared, "trained": time.perf_counter() - started}


def train_seeds(
    trial: TrialConfig, inputs: SharedInputs, device: torch.device, *, stacked: bool
) -> None:
    """Train all seeds of a cell, as one stacked model if ``stacked`` and possible."""
    train, validation = (
        LoadedSplit(inputs.splits[name], trial, device) for name in ("train", "validation")
    )
    configs = [trial.model_copy(update={"seed": seed, "order_seed": 0}) for seed in range(SEEDS)]
    models = [build_classifier(config, inputs).to(device) for config in configs]
    if stacked and can_stack(models):
        for _ in fit_seeds(models, train, validation, configs[0], stacked=True):
            pass
        return
    for model, config in zip(models, configs, strict=True):
        for _ in fit(model, train, validation, config):
            pass


def grid(data: str, encoder: str, epochs: int) -> Prepared:
    """Return the grid of experiments/grid.yaml, prepared for this data, encoder and epochs."""
    overrides = [f"epochs={epochs}", "min_steps=0"]
    assigned = load_experiment(ROOT / "experiments/grid.yaml", overrides)
    chosen = assigned.model_copy(update={"data": data, "encoder": encoder})
    return prepare(chosen, read_locations(), strict=True)


def main() -> int:
    """Return 0 after printing the numbers (and saving those of a GPU), 2 without the device."""
    parser = argparse.ArgumentParser(description="Measure what a GPU reaches.")
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", help="a folder; default: random weights of DistilBERT's size")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda",
                        help="device to measure")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs per trial")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("gpu.py: error: torch finds no CUDA device; --device cpu tries the script itself",
              file=sys.stderr)  # fmt: skip
        return 2
    device = torch.device(args.device)
    name = torch.cuda.get_device_name() if args.device == "cuda" else "CPU"
    precision = getattr(torch, machine_precision().frozen)
    with tempfile.TemporaryDirectory() as folder:
        encoder = args.encoder or str(random_distilbert(Path(folder)))
        prepared = grid(args.data, encoder, args.epochs)
        rate, reached = matrix_rate(precision, 5, device), frozen_pass(prepared, device, precision)
        numbers: dict[str, object] = {"device": name, "rate": rate, "frozen": reached / rate}
        print(f"{name}: {rate / 1e12:.2f} TFLOP/s, the frozen pass {reached / rate:.0%} of it")
        for method, stacked in (("plain", False), ("stacked", True)):
            numbers[method] = seconds = grid_seconds(prepared, device, stacked=stacked)
            print(f"12 cells x {SEEDS} seeds, {method}: {seconds['shared']:.1f} s for the states, "
                  f"{seconds['trained']:.1f} s of training")  # fmt: skip
    if args.device == "cuda":
        save_record("gpu", numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
