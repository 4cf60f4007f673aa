"""Measure the speed of prediction: python benchmarks/serving.py --model FOLDER.

The script alternately times, on the same pairs, all of ``Predictor.predict`` (cleaning, word
pieces, features, batches, layers, means) and the layers alone on prepared batches.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.records import save_record
from models.batches import RowReader, sorted_batches
from models.predictor import Predictor
from tuning.config.experiment import Cleaning
from tuning.data.pairs import read_pairs
from tuning.data.sources import find_data, read_locations

_TOKENS = 4096  # per batch, as in the predictor on a CPU


def main() -> None:
    """Measure both alternately, print pairs per second and their ratio, save the numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, prog="benchmarks/serving.py"
    )
    parser.add_argument("--model", type=Path, required=True, help="folder served/ of a champion")
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--repeats", type=int, default=5, help="repeats of each measurement")
    args = parser.parse_args()
    source = find_data(args.data, read_locations(), strict=True)
    tables = read_pairs(source.folder, Cleaning()).splits.values()
    firsts = [text for table in tables for text in table.first]
    seconds = [text for table in tables for text in table.second]
    predictor = Predictor(args.model)
    whole, layers = [], []
    for _ in range(args.repeats):
        began = time.perf_counter()
        predictor.predict(firsts, seconds)
        whole.append(time.perf_counter() - began)
        layers.append(_forward_alone(predictor, firsts, seconds))
    rates = [len(firsts) / np.median(timings) for timings in (whole, layers)]
    numbers = {
        "pairs": len(firsts),
        "members": len(predictor.members),
        "pairs_a_second": rates[0],
        "layers_alone_pairs_a_second": rates[1],
        "ratio": rates[0] / rates[1],
    }
    for name, value in numbers.items():
        print(f"{name.replace('_', ' ')}: {value:.3g}")
    print(save_record("serving", numbers))


def _forward_alone(predictor: Predictor, firsts: list[str], seconds: list[str]) -> float:
    """Return the seconds of the layers alone on prepared batches."""
    table, features = predictor.prepare(firsts, seconds)
    reader = RowReader(table, None, predictor.device, features)
    batches = [reader.read(rows) for rows in sorted_batches(table.lengths, _TOKENS)]
    began = time.perf_counter()
    for batch in batches:
        predictor.logits(batch)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
