"""A process of benchmarks/gpu.py: it trains a head beside others, or repeats trainings.

``steps`` answers each line on its input, a number of seconds, with the steps that it trained for
so long; its first line says that it is ready. ``repeats`` prints one line and ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from benchmarks.gpu_bench import FULL, SMALL, Bench
from benchmarks.gpu_checks import repeats


def steps(bench: Bench) -> None:
    """Train a head on cached states for the seconds of each line of the input."""
    torch.set_num_threads(1)  # as in a trial
    prepared = bench.large
    trial = bench.trial(prepared, freezing="all")
    trainer = bench.trainer(bench.inputs(prepared, prepared.encoder.layers), trial)
    an_epoch = -(-trainer.train.pairs // trial.batch_size)
    trainer.train_epoch()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        taken, started = 0, time.perf_counter()
        while (seconds := time.perf_counter() - started) < float(line):
            trainer.train_epoch()
            taken += an_epoch
        print(json.dumps({"steps": taken, "seconds": seconds}), flush=True)


def main() -> int:
    """Return 0 after the task."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="A process of benchmarks/gpu.py."
    )
    parser.add_argument("task", choices=["steps", "repeats"])
    parser.add_argument("--device", required=True, choices=["cuda", "cpu"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--deterministic", action="store_true")
    args = parser.parse_args()
    amounts = SMALL if args.small else FULL
    bench = Bench(torch.device(args.device), args.data, args.encoder, amounts, args.folder)
    if args.task == "steps":
        steps(bench)
    else:
        print(json.dumps(repeats(bench, deterministic=args.deterministic)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
