"""Parts of benchmarks/gpu.py on what a trial takes of the card: memory, time, a share of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from threading import Timer
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_bench import SMALL, Bench
from benchmarks.gpu_rates import ask_driver
from benchmarks.machine import seconds_of
from tuning.config.experiment import TrialConfig
from tuning.system.project import ROOT
from tuning.training.evaluation import evaluate
from tuning.training.gpu_memory import gpu_share, measure_peak_bytes, needed_bytes
from tuning.training.inputs import LoadedSplit, SharedInputs
from tuning.training.seeds import fit_seeds
from tuning.training.stacked import StackedTrainer
from tuning.training.trainer import Trainer

_BATCHES = (32, 128)
_SHOWN = 8  # kernels in a profile
_WIDTH = 110  # characters of a kernel's name
_WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # cuBLAS is deterministic only with it


def memory(bench: Bench) -> dict[str, Any]:
    """Return the bytes that a trial's share is computed from, and those that the trial uses.

    ``used_on_card`` counts all processes on the card, with the context of each.
    """
    numbers, layers = {}, bench.large.encoder.layers
    for depth, batch in product((layers, max(layers - 2, 0), 0), _BATCHES):
        trial = bench.trial(bench.large, freezing=depth, epochs=1, batch_size=batch)
        found = _memory_of(bench, bench.inputs(bench.large, depth), trial)
        numbers[f"trained_{layers - depth} batch_{batch}"] = found
    return numbers


def memory_of_seeds(bench: Bench) -> dict[str, Any]:
    """Return the same of a search's trial, whose seeds are stacked or take turns."""
    numbers, layers = {}, bench.large.encoder.layers
    for depth, seeds in product((layers, max(layers - 2, 0)), (1, 2, 5)):
        trial = bench.trial(bench.large, freezing=depth, epochs=1, batch_size=_BATCHES[0])
        found = _memory_of(bench, bench.inputs(bench.large, depth), trial, seeds)
        numbers[f"trained_{layers - depth} seeds_{seeds}"] = found
    return numbers


def _memory_of(
    bench: Bench, inputs: SharedInputs, trial: TrialConfig, seeds: int = 1
) -> dict[str, Any]:
    bench.release()
    held = torch.cuda.memory_allocated()
    models = [bench.model(inputs, trial) for _ in range(seeds)]
    peak = measure_peak_bytes(models, inputs.splits, trial)
    del models
    bench.release()
    share = gpu_share(peak, torch.cuda.mem_get_info()[0])
    torch.cuda.reset_peak_memory_stats()
    _run_whole(bench, inputs, trial, seeds)
    free, total = torch.cuda.mem_get_info()
    return {
        "held_before": held,
        "predicted_peak": peak,
        "predicted_process": needed_bytes(peak),
        "share": share,
        "allocated": torch.cuda.max_memory_allocated(),
        "reserved": torch.cuda.max_memory_reserved(),
        "used_on_card": total - free,
        "by_process": ask_driver("--query-compute-apps=pid,used_memory"),
    }


def _run_whole(bench: Bench, inputs: SharedInputs, trial: TrialConfig, seeds: int) -> None:
    """Train and score as a trial does, with all splits on the device."""
    splits = {
        name: LoadedSplit(arrays, trial, bench.device) for name, arrays in inputs.splits.items()
    }
    models = [bench.model(inputs, trial) for _ in range(seeds)]
    for _ in fit_seeds(models, splits["train"], splits["validation"], trial):
        pass
    evaluate(models[0], splits)


def profiled(bench: Bench) -> dict[str, Any]:
    """Return kernels, calls of the driver and synchronisations a step, and the card's busy share.

    The share is the kernels' time over that of an epoch without the profiler.
    """
    prepared = bench.large
    layers = prepared.encoder.layers
    numbers: dict[str, Any] = {}
    for depth in (layers, max(layers - 2, 0)):
        inputs = bench.inputs(prepared, depth)
        trial = bench.trial(prepared, freezing=depth)
        trainer = bench.trainer(inputs, trial)
        numbers[f"trained_{layers - depth} plain"] = _profile(bench, trainer, trial)
    inputs, trial = bench.inputs(prepared, layers), bench.trial(prepared)
    members = bench.amounts.members[-1]
    models = [
        bench.model(inputs, trial.model_copy(update={"seed": seed})) for seed in range(members)
    ]
    stack = StackedTrainer(models, *bench.splits(inputs, trial), trial)
    numbers[f"trained_0 stacked_{members}"] = _profile(bench, stack, trial)
    return numbers


def _profile(
    bench: Bench, trainer: Trainer | StackedTrainer, trial: TrialConfig
) -> dict[str, Any]:
    trainer.train_epoch()
    seconds = seconds_of(trainer.train_epoch, bench.device)
    activities = [ProfilerActivity.CPU]
    if bench.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        seconds_of(trainer.train_epoch, bench.device)
    steps = -(-trainer.train.pairs // trial.batch_size)
    calls: Counter[str] = Counter()
    kernels: Counter[str] = Counter()
    busy: Counter[str] = Counter()  # microseconds
    for event in profiler.events() or []:
        if event.device_type.name == "CUDA":
            if not event.is_user_annotation:
                kernels[event.name[:_WIDTH]] += 1
                busy[event.name[:_WIDTH]] += event.time_range.elapsed_us()
        elif event.name.startswith(("cuda", "cu")) or event.name == "aten::item":
            calls[event.name] += 1
    copies = sum(n for name, n in kernels.items() if name.startswith("Mem")) / steps
    return {
        "steps": steps,
        "milliseconds": 1000 * seconds / steps,
        "kernels_a_step": sum(kernels.values()) / steps - copies,
        "copies_a_step": copies,
        "busy_fraction": sum(busy.values()) / 1e6 / seconds,
        "synchronisations_a_step": _synchronisations(calls) / steps,
        "calls_a_step": {name: count / steps for name, count in calls.most_common()},
        "longest": {
            name: {"a_step": kernels[name] / steps, "microseconds_a_step": us / steps}
            for name, us in busy.most_common(_SHOWN)
        },
    }


def _synchronisations(calls: Counter[str]) -> int:
    """Return how often the host waited for the device."""
    return sum(count for name, count in calls.items() if "Synchronize" in name)


def processes(bench: Bench) -> dict[str, Any]:
    """Return the steps per second of trainings of a head in 1, 2, ... processes on one card."""
    counts = bench.amounts.processes
    with _workers(bench, counts[-1]) as workers:
        for worker in workers:
            _answer(worker)
        numbers: dict[str, Any] = {}
        for count in counts:
            for worker in workers[:count]:
                _ask(worker, str(bench.amounts.side_by_side))
            answers = [_answer(worker) for worker in workers[:count]]
            rates = [answer["steps"] / answer["seconds"] for answer in answers]
            numbers[str(count)] = {"steps_per_second": sum(rates), "slowest": min(rates)}
    return numbers


@contextmanager
def _workers(bench: Bench, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start workers that share the cached states; stop them at the end."""
    prepared = bench.large
    bench.inputs(prepared, prepared.encoder.layers)  # writes the states that the workers read
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = worker_command(bench, "steps")
    workers = [
        subprocess.Popen(command, cwd=ROOT, text=True, **pipes)  # pyright: ignore[reportCallIssue, reportArgumentType] - pipes
        for _ in range(count)
    ]
    # a worker that hangs is ended with the run's time, and its answer is missed then
    alarm = Timer(min(max(bench.left, 1), 1e6), _end, [workers])
    alarm.daemon = True
    alarm.start()
    try:
        yield workers
    finally:
        alarm.cancel()
        _end(workers)
        for worker in workers:
            worker.communicate()


def _end(workers: list[subprocess.Popen[str]]) -> None:
    for worker in workers:
        worker.kill()


def worker_command(bench: Bench, task: str) -> list[str]:
    """Return the command of a process that measures with the same data, encoder and states."""
    words = [sys.executable, "-m", "benchmarks.gpu_worker", task, "--device", bench.device.type]
    words += ["--data", bench.data, "--encoder", str(bench.large.encoder.folder)]
    words += ["--folder", str(bench.folder)]
    return [*words, "--small"] if bench.amounts is SMALL else words


def _ask(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None, "it is a pipe"
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def _answer(worker: subprocess.Popen[str]) -> dict[str, Any]:
    assert worker.stdout is not None, "it is a pipe"
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"a process ended with exit code {worker.wait()} before its answer")
    return json.loads(line)


def repeated_trainings(bench: Bench) -> dict[str, Any]:
    """Return what ``gpu_checks.repeats`` finds, with any kernels and with deterministic ones.

    Each runs in a process of its own, since cuBLAS reads its setting only once.
    """
    return {
        "any_kernels": _in_process(bench, ["repeats"], {}),
        "deterministic": _in_process(bench, ["repeats", "--deterministic"], _WORKSPACE),
    }


def _in_process(bench: Bench, words: Sequence[str], environment: dict[str, str]) -> dict[str, Any]:
    command = [*worker_command(bench, words[0]), *words[1:]]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=min(max(bench.left, 1), 1e6),
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
