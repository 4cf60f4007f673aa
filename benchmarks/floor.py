"""Compare with what the machine allows: python benchmarks/floor.py [--data ...] [--encoder ...].

The script measures the rate of matrix products and the memory's bandwidth, counts the operations
and bytes that a pass or an epoch needs at least, and prints the least possible time (the floor) as
a fraction of the measured time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inputs import whole_encoder
from benchmarks.machine import CPU, Machine, seconds_of
from benchmarks.records import save_record
from models.batches import shuffled_batches, sorted_batches
from models.classifier import Classifier
from models.frozen_pass import encode
from models.number_formats import FLOAT32, Precision, Rates
from models.speed import measure_rates
from tuning.config.experiment import Experiment, TrialConfig
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import read_locations
from tuning.training.builders import build_classifier, start_order
from tuning.training.epoch import draw_rows
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs
from tuning.training.trainer import Trainer

Padded = Callable[[np.ndarray], int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One piece of work: its least operations and bytes, its floor, and the seconds it took.

    Operations are those on tokens, not on padding: ``half`` in the encoder's precision, ``single``
    in float32. ``bytes`` are the states, read or written once; ``padding`` is the fraction of
    padded positions, ``floor`` the least seconds possible.
    """

    name: str
    threads: int
    half: float
    single: float
    bytes: float
    padding: float
    seconds: float
    floor: float

    @property
    def reached(self) -> float:
        """Return the floor as a fraction of the measured seconds, in (0, 1]."""
        return self.floor / self.seconds


def frozen_pass(machine: Machine, prepared: Prepared, threads: int) -> Case:
    """Measure the pass of all layers over the train split, as it fills the cache."""
    frozen = whole_encoder(prepared, machine.precision, CPU)
    table = prepared.tokens.splits["train"]
    torch.set_num_threads(threads)
    with FlopCounterMode(display=False) as counter:
        states = encode(frozen, table)
    seconds = [seconds_of(lambda: encode(frozen, table)) for _ in range(machine.repeats)]
    batches = sorted_batches(table.lengths, 4096)
    real = real_share([table.lengths[rows] for rows in batches])
    half, single = _by_precision(machine, counter.get_total_flops() * real, 0.0)
    return _case(machine, "frozen pass, cached", threads, half, single, states.nbytes, real,
                 seconds)  # fmt: skip


def training_epoch(machine: Machine, name: str, inputs: SharedInputs, trial: TrialConfig) -> Case:
    """Measure an epoch of training on one core, without its validation.

    Args:
        machine: Machine whose rates give the floor.
        name: Name of the case in the table.
        inputs: Splits and trained layers that the trial works on.
        trial: Configuration; its ``epochs`` must be 1.
    """
    train = LoadedSplit(inputs.splits["train"], trial, CPU)
    torch.set_num_threads(1)
    with FlopCounterMode(display=False, depth=2) as counter:
        model = build_classifier(trial, inputs)
        epoch_of(model, train, trial)()
    counts = counter.get_flop_counts()
    head = sum(counts.get("Classifier.head", {}).values())
    seconds = []
    for _ in range(machine.repeats):
        seconds.append(seconds_of(epoch_of(build_classifier(trial, inputs), train, trial)))
    generator = start_order(trial)
    rows = draw_rows(train, generator)
    lengths = train.reader.lengths
    batches = shuffled_batches(rows, lengths, trial.batch_size, generator)
    real = real_share([lengths[chosen] for chosen in batches], train.reader.padded)
    encoder = (counter.get_total_flops() - head) * real
    half, single = _by_precision(machine, encoder, head * real)
    states = inputs.splits["train"].states
    read = 0 if states is None else states.nbytes / train.orders
    return _case(machine, name, 1, half, single, read, real, seconds)


def epoch_of(model: Classifier, train: LoadedSplit, trial: TrialConfig) -> Callable[[], object]:
    """Return a function that trains the model for one epoch; its optimizer exists already."""
    return Trainer(model, train, train, trial).train_epoch


def _by_precision(machine: Machine, encoder: float, head: float) -> tuple[float, float]:
    """Return the operations in half precision and in float32, which the head always uses."""
    return (0.0, encoder + head) if machine.precision == torch.float32 else (encoder, head)


def real_share(batches: list[np.ndarray], padded: Padded = np.max) -> float:
    """Return the fraction of positions that hold tokens.

    Args:
        batches: Lengths of the rows of each batch, in tokens.
        padded: Function from a batch's lengths to the one that its rows are padded to.
    """
    real = sum(int(lengths.sum()) for lengths in batches)
    return real / sum(len(lengths) * padded(lengths) for lengths in batches)


def _case(
    machine: Machine,
    name: str,
    threads: int,
    half: float,
    single: float,
    bytes_: float,
    real: float,
    seconds: list[float],
) -> Case:
    """Return a case from its counts, the share of positions with tokens, and its timings."""
    return Case(
        name=name,
        threads=threads,
        half=half,
        single=single,
        bytes=bytes_,
        padding=1 - real,
        seconds=statistics.median(seconds),
        floor=machine.floor(half, single, bytes_, threads),
    )


def prepare_for(data: str, encoder: str) -> Prepared:
    """Return data and encoder for trials with all layers frozen and one order of each pair."""
    trial = {"encoding": "pair", "both_orders": False, "targets": "labels"}
    content = {"name": "floor", "data": data, "encoder": encoder, "trial": trial}
    return prepare(Experiment.model_validate(content), read_locations())


def measure(machine: Machine, prepared: Prepared, threads: int) -> list[Case]:
    """Measure three cases: cached pass, epoch of the head, epoch of two trained layers."""
    cases = [frozen_pass(machine, prepared, threads)]
    layers, name = prepared.encoder.layers, str(machine.precision).removeprefix("torch.")
    precision = Precision(name, name)
    with tempfile.TemporaryDirectory() as folder:
        for name, depth in (("epoch of the head", layers),
                            ("epoch of two trained layers", layers - 2)):  # fmt: skip
            trial = prepared.trials[0].model_copy(update={"freezing": depth, "epochs": 1})
            inputs = build_inputs(prepared, trial, precision, Path(folder))
            cases.append(training_epoch(machine, name, inputs, trial))
    return cases


def plan_shares(cases: list[Case], rates: Rates, precision: str) -> dict[str, float]:
    """Return the shares of a layer's rate that the cases reach, for ``tuning/training/cost.py``.

    Args:
        cases: Cases of ``measure``, the first with as many threads as the rate of frozen layers.
        rates: Rates of a layer on this machine.
        precision: Number format of the encoder's layers.
    """
    frozen, head, trained = ((case.half + case.single, case.seconds) for case in cases)
    layers = (trained[0] - head[0]) / (trained[1] - head[1])
    return {
        "frozen": frozen[0] / frozen[1] / rates.frozen[precision],
        "trained": layers / rates.trained[precision],
        "head": head[0] / head[1] / rates.trained[FLOAT32],
    }


def show(cases: list[Case], title: str) -> Table:
    """Return a table with a row per case."""
    table = Table(title=title)
    for name in ("", "threads", "GFLOP", "MB", "padding", "floor", "measured", "reached"):
        table.add_column(name, justify="right" if name else "left")
    for case in cases:
        work = f"{(case.half + case.single) / 1e9:.0f}"
        moved, padding = f"{case.bytes / 1e6:.0f}", f"{case.padding:.0%}"
        times = f"{case.floor:.2f} s", f"{case.seconds:.2f} s"
        table.add_row(case.name, str(case.threads), work, moved, padding, *times,
                      f"{case.reached:.0%}")  # fmt: skip
    return table


def main() -> int:
    """Return 0 after printing the table and saving its numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare passes and epochs with their floor."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="embedded", help="as for run_grid.py")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--name", default="floor", help="name of the file in benchmarks/results")
    args = parser.parse_args()
    threads = torch.get_num_threads()
    machine = Machine(args.repeats)
    cases = measure(machine, prepare_for(args.data, args.encoder), threads)
    title = f"{Path(args.encoder).name} on {Path(args.data).name}: medians of {args.repeats}"
    console = Console()
    console.print(show(cases, title))
    rates = {
        f"{name}_{count}": machine.matrix_rate(precision, count)
        for name, precision in (("half", machine.precision), ("single", torch.float32))
        for count in sorted({1, threads})
    }
    for name, rate in rates.items():
        console.print(f"matrix rate, {name}: {rate / 1e9:.0f} GFLOP/s")
    name = str(machine.precision).removeprefix("torch.")
    shares = plan_shares(cases, measure_rates(), name)
    for kind, share in shares.items():
        console.print(f"share of a layer's rate, {kind}: {share:.0%}")
    kept = [{**asdict(case), "reached": case.reached} for case in cases]
    save_record(
        args.name, {"data": Path(args.data).name, "rates": rates, "shares": shares, "cases": kept}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
