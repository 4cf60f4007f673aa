"""Parts of benchmarks/gpu.py that measure the card itself, and the frozen pass against it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_bench import Bench
from benchmarks.inputs import whole_encoder
from benchmarks.machine import machine_precision, matrix_rate, seconds_of
from benchmarks.records import describe_machine
from models.batches import RowReader, sorted_batches
from models.classifier import run_frozen
from models.frozen_pass import FrozenEncoder, encode
from models.split_parts import place_splits
from models.tokens import TokenTable

_REPEATS = 5
_TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}  # as for the states that are cached
PRECISIONS = ("bfloat16", "float16", "float32")


def machine(bench: Bench) -> dict[str, Any]:
    """Return processor, versions, and what torch and the driver say of the card."""
    numbers: dict[str, Any] = {**describe_machine(), "precision": str(machine_precision())}
    if bench.device.type != "cuda":
        return numbers
    card = torch.cuda.get_device_properties(0)
    return numbers | {
        "card": card.name,
        "bytes": card.total_memory,
        "free_bytes": torch.cuda.mem_get_info()[0],
        "multiprocessors": card.multi_processor_count,
        "capability": f"{card.major}.{card.minor}",
        "architectures": torch.cuda.get_arch_list(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": ask_driver("--query-gpu=driver_version"),
    }


def ask_driver(query: str) -> list[str]:
    """Return the lines that ``nvidia-smi`` answers; none if it cannot be run."""
    words = ["nvidia-smi", query, "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


@contextmanager
def tensor_float32() -> Iterator[None]:
    """Let a card that has TensorFloat-32 multiply float32 in it within the block."""
    settings: Any = torch.backends.cuda.matmul  # it has no types
    before = settings.fp32_precision
    settings.fp32_precision = "tf32"
    try:
        yield
    finally:
        settings.fp32_precision = before


def rates(bench: Bench) -> dict[str, Any]:
    """Return operations per second of matrix products, and bytes per second of copies."""
    sizes, device = [bench.amounts.matrix], bench.device
    found = {
        name: matrix_rate(getattr(torch, name), _REPEATS, device, sizes) for name in PRECISIONS
    }
    with tensor_float32():
        found["tf32"] = matrix_rate(torch.float32, _REPEATS, device, sizes)
    return {"operations_per_second": found, "bytes_per_second": _copies(bench)}


def _copies(bench: Bench) -> dict[str, float]:
    """Return bytes per second; a copy on the device reads and writes, so it counts twice."""
    host = torch.ones(bench.amounts.copied // 4)
    on_device, target = host.to(bench.device), host.to(bench.device)
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "device_to_device": (lambda: target.copy_(on_device), 2),
        "pageable_to_device": (lambda: target.copy_(host), 1),
        "device_to_pageable": (lambda: host.copy_(on_device), 1),
    }
    if bench.device.type == "cuda":
        pinned = host.pin_memory()
        ways["pinned_to_device"] = (lambda: target.copy_(pinned, non_blocking=True), 1)
        ways["device_to_pinned"] = (lambda: pinned.copy_(on_device, non_blocking=True), 1)
    return {
        name: times * host.nbytes / _best_seconds(work, bench.device)
        for name, (work, times) in ways.items()
    }


def states_of_a_variant(bench: Bench) -> dict[str, float]:
    """Return bytes of a variant's states, and the seconds to copy them to the device.

    A worker process does so once for all trials of the variant.
    """
    prepared = bench.large
    splits = bench.inputs(prepared, prepared.encoder.layers).splits
    size = sum(split.states.nbytes for split in splits.values() if split.states is not None)
    seconds = _best_seconds(lambda: place_splits(splits, bench.device), bench.device)
    return {"bytes": size, "seconds": seconds}


def _best_seconds(work: Callable[[], object], device: torch.device) -> float:
    return min(seconds_of(work, device) for _ in range(_REPEATS + 1))


def frozen_pass(bench: Bench) -> dict[str, Any]:
    """Return speed of the large encoder's pass over the pairs, and its fraction of the rate.

    ``layers`` leaves the states on the device, ``cached`` copies them to the host as for the
    cache; both run over some copies of the train split. ``by_tokens`` has the tokens per second
    of ``layers`` with other batches, in the first precision.
    """
    table = repeated(bench.large.tokens.splits["train"], bench.amounts.copies)
    numbers = {name: _pass_in(bench, table, name) for name in PRECISIONS}
    frozen = whole_encoder(bench.large, getattr(torch, PRECISIONS[0]), bench.device)
    numbers["by_tokens"] = {
        str(size): len(table.tokens)
        / seconds_of(lambda size=size: run_layers(frozen, table, size), bench.device)
        for size in bench.amounts.tokens
    }
    return numbers


def _pass_in(bench: Bench, table: TokenTable, precision: str) -> dict[str, Any]:
    dtype = getattr(torch, precision)
    rate = matrix_rate(dtype, _REPEATS, bench.device, [bench.amounts.matrix])
    frozen = whole_encoder(bench.large, dtype, bench.device)
    with FlopCounterMode(display=False) as counter:  # the first pass is slower: it is not timed
        finite = run_layers(frozen, table)
    operations = counter.get_total_flops()
    numbers: dict[str, Any] = {"operations": operations, "rate": rate, "finite": finite}
    for name, work in (("layers", run_layers), ("cached", encode)):
        seconds = seconds_of(lambda work=work: work(frozen, table), bench.device)
        numbers[name] = {
            "tokens_per_second": len(table.tokens) / seconds,
            "fraction_of_rate": operations / seconds / rate,
        }
    return numbers


def run_layers(frozen: FrozenEncoder, table: TokenTable, tokens: int | None = None) -> bool:
    """Run the frozen layers over all rows; return whether all states are finite.

    Args:
        frozen: Frozen layers and how to run them.
        table: Token sequences.
        tokens: Tokens of a batch; None for as many as the cache's pass takes.
    """
    lower = frozen.lower().to(frozen.device).eval()
    reader = RowReader(table, None, frozen.device)
    finite = torch.ones((), dtype=torch.bool, device=frozen.device)
    size = tokens or _TOKENS_PER_BATCH[frozen.device.type]
    for batch in reader.read_each(list(sorted_batches(table.lengths, size))):
        states = run_frozen(lower, batch.inputs, batch.segments, frozen.precision)
        finite &= states.isfinite().all()
    return bool(finite)


def repeated(table: TokenTable, times: int) -> TokenTable:
    """Return a table whose rows are those of ``table``, some times over."""
    ends = np.tile(table.lengths, times).cumsum()
    return TokenTable(
        tokens=np.tile(table.tokens, times),
        segments=np.tile(table.segments, times),
        offsets=np.concatenate([[0], ends]),
        pairs=table.pairs * times,
    )
