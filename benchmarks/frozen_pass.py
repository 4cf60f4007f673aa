"""Measure the frozen pass of a data set with each encoding: python benchmarks/frozen_pass.py.

All layers of the encoder, all splits, both orders of a pair: seconds of one core until the states
are in the cache's file (other programs do not count), and the bytes of that file. A goal is that
``separate``, which encodes each different text once, takes a quarter of ``pair``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.inputs import whole_encoder
from benchmarks.machine import CPU, machine_precision
from benchmarks.records import save_record
from tuning.config.experiment import Experiment
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import read_locations
from tuning.training.activation_cache import load_or_compute

ENCODINGS = ("pair", "separate")


def measure(prepared: Prepared, encoding: str) -> dict[str, float]:
    """Return sequences and word pieces that are encoded, and the seconds and bytes that it takes.

    Args:
        prepared: Data and encoder, with the data in both encodings.
        encoding: Encoding to measure, ``pair`` or ``separate``.
    """
    trial = next(trial for trial in prepared.trials if trial.encoding == encoding)
    tables = prepared.encoded[trial.encoding].splits
    precision = getattr(torch, machine_precision().frozen)
    frozen = whole_encoder(prepared, precision, CPU, trial.encoding)
    with tempfile.TemporaryDirectory() as folder:
        torch.set_num_threads(1)  # two would spin where they wait for each other
        began = time.process_time()
        load_or_compute([frozen], tables, Path(folder))
        seconds = time.process_time() - began
        size = sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))
    offsets = [table.offsets for table in tables.values()]
    return {
        "rows": sum(len(each) - 1 for each in offsets),
        "pieces": sum(int(each[-1]) for each in offsets),
        "seconds": seconds,
        "bytes": size,
    }


def main() -> int:
    """Return 0 after printing the numbers and saving them."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure the frozen pass with each encoding."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="minilm", help="as for run_grid.py")
    args = parser.parse_args()
    content = {"name": "frozen_pass", "data": args.data, "encoder": args.encoder,
               "trial": {"freezing": "all"}, "grid": {"encoding": list(ENCODINGS)}}  # fmt: skip
    prepared = prepare(Experiment.model_validate(content), read_locations())
    found = {encoding: measure(prepared, encoding) for encoding in ENCODINGS}
    numbers = {"data": prepared.data_source.name, "encoder": prepared.encoder_source.name,
               "encodings": found}  # fmt: skip
    Console().print(found)
    print(save_record("frozen_pass", numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
