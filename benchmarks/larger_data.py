"""Measure data that memory has no room for: python benchmarks/larger_data.py [--pairs NUMBER].

A grid of two trials runs on synthetic pairs, as many as QQP has, with a small random encoder whose
states fill a file; then epochs over a part of them are timed with the states in memory, in the
system's page cache, and on the disk. Everything is written to a temporary folder.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import random_distilbert, synthetic_pairs
from benchmarks.launches import run_grid
from benchmarks.machine import CPU
from benchmarks.records import save_record
from models import state_files
from models.batches import RowReader, SplitArrays
from models.classifier import Classifier
from models.encoder import no_layers
from models.heads import build_head
from models.segments import FIRST, SECOND
from models.split_parts import part_of
from models.state_files import MappedStates
from models.tokens import TokenTable
from tuning.config.experiment import TrialConfig
from tuning.training.inputs import LoadedSplit
from tuning.training.trainer import Trainer

TRIAL: dict[str, object] = {
    "encoding": "pair",
    "freezing": "all",
    "layer_mean": True,  # twice the states at the same cost
    "head": "mean_pooling",
    "batch_size": 128,
    "both_orders": False,
    "epochs": 1,
    "min_steps": 0,
    "targets": "labels",
}
SMALL = {"dim": 128, "hidden_dim": 128, "n_heads": 4, "n_layers": 1}  # of the encoder
HEADS = ("cross_attention", "mean_pooling")  # the default, and the one with the fewest operations
ROUNDS = 3
_KINDS = np.array([FIRST, SECOND], dtype=np.uint8)  # of a part's tokens, in turns
LENGTHS = (11, 32)  # word pieces of a pair of the part, from and to


def run_launch(folder: Path, pairs: int) -> tuple[dict[str, float], Path]:
    """Run a grid of two trials; return its seconds, peak bytes, and the file of its states."""
    data = synthetic_pairs(folder / "pairs", pairs)
    encoder = random_distilbert(folder / "encoder", **SMALL)
    words = ("--data", str(data), "--encoder", str(encoder), "--set", "precision=float32")
    launch = run_grid(folder / "launch", TRIAL, {"seed": [0, 1]}, *words)
    (path,) = folder.glob("launch/out/activations/*.safetensors")
    numbers = {
        "seconds": launch.watched.seconds,
        "epoch_seconds": statistics.mean(launch.training),
        "driver_mb": launch.watched.driver_bytes / 1e6,
        "worker_mb": launch.watched.worker_bytes / 1e6,
        "states_gb": path.stat().st_size / 1e9,
    }
    return numbers, path


def draw_part(states: MappedStates, pairs: int) -> SplitArrays:
    """Return random pairs whose tokens are spread over all states of a file.

    Args:
        states: States of a split.
        pairs: Number of pairs.
    """
    generator = np.random.default_rng(0)
    lengths = generator.integers(*LENGTHS, states.shape[0] // LENGTHS[0])
    offsets = np.concatenate([[0], lengths.cumsum()])
    offsets = offsets[offsets <= states.shape[0]]
    count = len(offsets) - 1
    table = TokenTable(
        tokens=np.empty(0, dtype=np.int32),  # the states are read in their place
        segments=np.resize(_KINDS, states.shape[0]),
        offsets=offsets,
        pairs=count,
    )
    labels = generator.integers(2, size=count)
    whole = SplitArrays(
        table=table,
        states=states,
        labels=labels,
        votes=labels.astype(np.float32),
        entities=np.arange(count),
    )
    return part_of(whole, generator.choice(count, min(pairs, count), replace=False))


def copy_part(part: SplitArrays) -> SplitArrays:
    """Return the same pairs with their states in memory and nothing else."""
    reader = RowReader(part.table, part.states, CPU)
    rows = [reader.read(np.array([row])) for row in range(part.table.rows)]
    lengths = part.table.lengths
    states = np.concatenate([row.inputs[0].numpy() for row in rows])
    table = TokenTable(
        tokens=part.table.tokens,
        segments=np.resize(_KINDS, len(states)),
        offsets=np.concatenate([[0], lengths.cumsum()]),
        pairs=part.table.pairs,
    )
    return replace(part, table=table, states=states)


def time_epoch(part: SplitArrays, head: str) -> tuple[float, float]:
    """Return the pairs a second of an epoch of a new head, and its mean loss."""
    trial = TrialConfig.model_validate({"head": head, "targets": "labels", "both_orders": False})
    torch.manual_seed(0)
    assert part.states is not None, "they are what is measured"
    built = build_head(head, width=part.states.shape[1], head_width=trial.head_width)
    split = LoadedSplit(part, trial, CPU)
    trainer = Trainer(Classifier(None, no_layers("distilbert"), built), split, split, trial)
    began = time.perf_counter()
    loss, _ = trainer.train_epoch()
    return split.pairs / (time.perf_counter() - began), loss


def evict(path: Path) -> None:
    """Remove a file from the system's page cache; pages that a process has mapped would stay."""
    gc.collect()  # maps of earlier epochs
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure_places(path: Path, pairs: int, head: str) -> Iterator[dict[str, float]]:
    """Yield for each round the pairs a second with the states in each place.

    Raises:
        RuntimeError: If a loss depends on the place.
    """
    part = draw_part(state_files.read(path)[0]["train"], pairs)
    copied = copy_part(part)

    def on_disk(*, ahead: bool) -> tuple[float, float]:
        evict(path)
        state_files.SHARE = 0.0 if ahead else 1e9  # as if memory had room for nothing, or all
        return time_epoch(part, head)

    def cached() -> tuple[float, float]:
        state_files.SHARE = 1e9
        time_epoch(part, head)  # reads what is missing
        return time_epoch(part, head)

    places: dict[str, Callable[[], tuple[float, float]]] = {
        "memory": lambda: time_epoch(copied, head),
        "page_cache": cached,
        "disk_ahead": lambda: on_disk(ahead=True),
        "disk_plain": lambda: on_disk(ahead=False),
    }
    for _ in range(ROUNDS):
        found = {place: measure() for place, measure in places.items()}
        losses = {loss for _, loss in found.values()}
        if len(losses) > 1 or not np.isfinite([*losses]).all() or 0.0 in losses:
            raise RuntimeError(f"{head}: the losses must be one number: {found}")
        yield {place: speed for place, (speed, _) in found.items()}


def main() -> None:
    """Measure, print the numbers, save them."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, prog="benchmarks/larger_data.py"
    )
    parser.add_argument("--pairs", type=int, default=400_000, help="number of synthetic pairs")
    parser.add_argument("--part", type=int, default=4_000, help="pairs of the timed epochs")
    parser.add_argument("--name", default="larger_data", help="name of the record")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        launch, path = run_launch(Path(directory), args.pairs)
        numbers = {"pairs": args.pairs, "part": args.part, "launch": launch}
        save_record(args.name, numbers, whole=False)  # the rest may be interrupted
        heads = {head: [*measure_places(path, args.part, head)] for head in HEADS}
    table = Table("head", *heads[HEADS[0]][0])
    for head, rounds in heads.items():
        times = [statistics.median(r["memory"] / r[place] for r in rounds) for place in rounds[0]]
        table.add_row(head, *(f"{ratio:.2f}x" for ratio in times))
    Console().print(launch, table)
    print(save_record(args.name, {**numbers, "heads": heads}))


if __name__ == "__main__":
    main()
