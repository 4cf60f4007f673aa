"""Parts of benchmarks/gpu.py that time training: heads, trained layers, the grid, pretraining."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_bench import Bench
from benchmarks.machine import machine_precision
from models.heads import HEADS
from models.masked_language_model import build_model, use_attention_of
from models.tokens import load_tokenizer
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.pretraining.masking import PackedText, SequenceOptions
from tuning.pretraining.recipe import Phase, Shape
from tuning.pretraining.trainer import MlmTrainer
from tuning.pretraining.wordpiece import vocabulary_of
from tuning.training.builders import build_classifier
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs
from tuning.training.seeds import can_stack, fit_seeds
from tuning.training.stacked import StackedTrainer
from tuning.training.trainer import fit

SEEDS = 3
_RESERVE = 5.0  # seconds that a cell of the grid must have left to begin
_DISTILBERT = {"layers": 6, "width": 768, "heads": 12, "inner_width": 3072, "positions": 512}


def heads(bench: Bench) -> dict[str, Any]:
    """Return milliseconds a step of each head on cached states, plain and stacked."""
    prepared = bench.large
    inputs = bench.inputs(prepared, prepared.encoder.layers)
    numbers: dict[str, Any] = {"width": inputs.width, "batch": prepared.trials[0].batch_size}
    for head in sorted(HEADS):
        trial = bench.trial(prepared, freezing="all", head=head)
        found: dict[str, float | None] = {"plain": _plain(bench, inputs, trial)}
        numbers[head] = found
        for members in bench.amounts.members:
            found[f"stacked_{members}"] = _stacked(bench, inputs, trial, members)
    return numbers


def _plain(bench: Bench, inputs: SharedInputs, trial: TrialConfig) -> float:
    trainer = bench.trainer(inputs, trial)
    return bench.milliseconds(trainer.train_epoch, trainer.train.pairs, trial.batch_size)


def _stacked(bench: Bench, inputs: SharedInputs, trial: TrialConfig, members: int) -> float | None:
    """Return the milliseconds of a step of all members, or None if they cannot be stacked."""
    trials = [trial.model_copy(update={"seed": seed}) for seed in range(members)]
    models = [bench.model(inputs, each) for each in trials]
    if not can_stack(models):
        return None
    trainer = StackedTrainer(models, *bench.splits(inputs, trial), trial)
    return bench.milliseconds(trainer.train_epoch, trainer.train.pairs, trial.batch_size)


def trained_layers(bench: Bench) -> dict[str, Any]:
    """Return milliseconds a step with the upper 2 layers trained, and with the whole encoder."""
    prepared, numbers = bench.large, {}
    layers = prepared.encoder.layers
    for depth in (max(layers - 2, 0), 0):
        inputs = bench.inputs(prepared, depth)
        trial = bench.trial(prepared, freezing=depth)
        numbers[f"trained_{layers - depth}"] = _plain(bench, inputs, trial)
        bench.release()
    return numbers


def grid_of_large(bench: Bench) -> dict[str, Any]:
    """Return the seconds of the assigned grid on the large encoder, seeds stacked."""
    return grid(bench, bench.large, stacked=True)


def grid_of_large_in_turns(bench: Bench) -> dict[str, Any]:
    """Return the seconds of the assigned grid on the large encoder, seed after seed."""
    return grid(bench, bench.large, stacked=False)


def grid_of_embedded(bench: Bench) -> dict[str, Any]:
    """Return the seconds of the assigned grid on the embedded encoder, seeds stacked."""
    return grid(bench, bench.embedded, stacked=True)


def grid_of_embedded_in_turns(bench: Bench) -> dict[str, Any]:
    """Return the seconds of the assigned grid on the embedded encoder, seed after seed."""
    return grid(bench, bench.embedded, stacked=False)


def grid(bench: Bench, prepared: Prepared, *, stacked: bool) -> dict[str, Any]:
    """Return seconds for the states, and for each cell with all its seeds.

    Cells are left out when the time is up: ``cells`` says how many were trained.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        precision = machine_precision()
        inputs = {
            prepared.depth_of(trial): build_inputs(prepared, trial, precision, Path(folder))
            for trial in prepared.input_variants
        }
        shared = time.perf_counter() - started
        by_cell: dict[str, float] = {}
        for trial in prepared.trials:
            if bench.left < _RESERVE:
                break
            started = time.perf_counter()
            train_seeds(bench, trial, inputs[prepared.depth_of(trial)], stacked=stacked)
            name = f"{trial.freezing} {trial.optimizer} {trial.learning_rate:g}"
            by_cell[name] = time.perf_counter() - started
    return {
        "seeds": SEEDS,
        "epochs": prepared.trials[0].epochs,
        "states_seconds": shared,
        "cells": len(by_cell),
        "trained_seconds": sum(by_cell.values()),
        "seconds_by_cell": by_cell,
    }


def train_seeds(bench: Bench, trial: TrialConfig, inputs: SharedInputs, *, stacked: bool) -> None:
    """Train all seeds of a cell, as one stacked model if ``stacked`` and possible."""
    train, validation = (
        LoadedSplit(inputs.splits[name], trial, bench.device) for name in ("train", "validation")
    )
    configs = [trial.model_copy(update={"seed": seed, "order_seed": 0}) for seed in range(SEEDS)]
    models = [build_classifier(config, inputs).to(bench.device) for config in configs]
    if stacked and can_stack(models):
        for _ in fit_seeds(models, train, validation, configs[0], stacked=True):
            pass
    else:
        for model, config in zip(models, configs, strict=True):
            for _ in fit(model, train, validation, config):
                pass
    if bench.device.type == "cuda":
        torch.cuda.synchronize()


def pretraining(bench: Bench) -> dict[str, Any]:
    """Return tokens per second of pretraining, the loss before the last step, and the memory."""
    return _pretrain_each(bench, "sdpa")


def pretraining_eager(bench: Bench) -> dict[str, Any]:
    """Return the same with attention as plain products, which no GPU trains with any more."""
    return _pretrain_each(bench, "eager")


def pretraining_compiled(bench: Bench) -> dict[str, Any]:
    """Return the same with the encoder compiled, which the tuner itself does not do."""
    return _pretrain_each(bench, "compiled")


def _pretrain_each(bench: Bench, way: str) -> dict[str, Any]:
    numbers = {"embedded_size": _pretrain(bench, Shape().model_dump(), 64, way)}  # pyright: ignore[reportCallIssue] - pydantic's defaults
    bench.release()
    if bench.amounts.wide:
        numbers["distilbert_size"] = _pretrain(bench, _DISTILBERT, 128, way)
    return numbers


def _pretrain(bench: Bench, shape: dict[str, int], length: int, way: str) -> dict[str, Any]:
    tokenizer, _ = load_tokenizer(bench.embedded.encoder.folder)
    vocabulary = vocabulary_of(tokenizer)
    options = SequenceOptions(
        length=length,
        positions=shape["positions"],
        even_starts=True,
        mask_fraction=0.2,
        whole_words=False,
        seed=0,
    )
    usable = np.flatnonzero(~vocabulary.special)
    steps, batch = bench.amounts.steps, bench.amounts.sequences
    stream = np.random.default_rng(0).choice(usable, 4 * batch * length)
    phase = Phase.model_validate({"steps": steps, "batch_size": batch})
    precision = machine_precision().trained
    model = build_model(vocabulary.size, shape, seed=0).to(bench.device)
    trainer = MlmTrainer(
        model,
        PackedText(stream, vocabulary, options),
        phase,
        precision=precision,
        device=bench.device,
    )
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    if way == "eager":
        use_attention_of(model, torch.device("cpu"))
    elif way == "compiled":
        model.inner.distilbert.compile(dynamic=False)
    results = list(trainer.run(steps // 3))  # losses are read every few steps
    seconds = statistics.median(result.seconds for result in results[steps // 3 :])
    numbers = {"loss": results[-1].loss, "precision": precision, "part": trainer.part_size}
    if bench.device.type == "cuda":
        numbers["reserved"] = torch.cuda.max_memory_reserved()
    return {"tokens_per_second": results[-1].tokens / seconds, **numbers}
