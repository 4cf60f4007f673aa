"""Measure a GPU without Ray: python benchmarks/gpu.py [--minutes 8] [--output FILE].

It prints a line of JSON after each part, the most valuable parts first, so that a run that is cut
off keeps what it had. A part is left out, with a line that says so, when too little time is left
for it. ``--device cpu --small`` tests the script itself. Without the project installed,
``python -m benchmarks.gpu`` runs it from the repository.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_checks, gpu_graphs, gpu_load, gpu_rates, gpu_steps
from benchmarks.gpu_bench import FULL, SMALL, Bench

_SMALLEST = 5.0  # seconds that the quickest part may take
Line = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of the run.

    ``work`` returns its numbers; ``seconds`` is a guess of how long it takes on a card;
    ``on_cpu`` tells whether it can run without one.
    """

    work: Callable[[Bench], Line]
    seconds: float = 20.0
    on_cpu: bool = True


PARTS = {
    "machine": Part(work=gpu_rates.machine, seconds=_SMALLEST),
    "rates": Part(work=gpu_rates.rates, seconds=_SMALLEST),
    "probabilities": Part(work=gpu_checks.probabilities),
    "heads": Part(work=gpu_steps.heads, seconds=30),
    "trained_layers": Part(work=gpu_steps.trained_layers),
    "frozen_pass": Part(work=gpu_rates.frozen_pass),
    "states_of_a_variant": Part(work=gpu_rates.states_of_a_variant),
    "grid_of_large": Part(work=gpu_steps.grid_of_large),
    "memory": Part(work=gpu_load.memory, on_cpu=False),
    "memory_of_seeds": Part(work=gpu_load.memory_of_seeds, on_cpu=False),
    "repeated_trainings": Part(work=gpu_load.repeated_trainings, seconds=40),
    "processes": Part(work=gpu_load.processes, seconds=40),
    "pretraining": Part(work=gpu_steps.pretraining),
    "pretraining_eager": Part(work=gpu_steps.pretraining_eager, on_cpu=False),
    "grid_of_embedded": Part(work=gpu_steps.grid_of_embedded),
    "grid_of_embedded_in_turns": Part(work=gpu_steps.grid_of_embedded_in_turns),
    "grid_of_large_in_turns": Part(work=gpu_steps.grid_of_large_in_turns),
    "profile": Part(work=gpu_load.profiled),  # late: its process may be slower after it
    "pretraining_compiled": Part(work=gpu_steps.pretraining_compiled, seconds=60, on_cpu=False),
    "captured": Part(work=gpu_graphs.captured, on_cpu=False),  # last: a failed capture may harm
}


def run_parts(bench: Bench, parts: dict[str, Part]) -> Iterator[Line]:
    """Yield a line for each part: its numbers, its error, or why it was left out."""
    for name, part in parts.items():
        if bench.device.type == "cpu" and not part.on_cpu:
            yield {"part": name, "left_out": "needs a GPU"}
        elif bench.left < part.seconds:
            left = f"needs about {part.seconds:.0f} s, {max(bench.left, 0):.0f} s are left"
            yield {"part": name, "left_out": left}
        else:
            yield {"part": name, **_run(bench, part)}
        bench.release()


def rounded(value: object) -> object:
    """Return a JSON value with five digits of each fraction, which keeps the lines short."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _run(bench: Bench, part: Part) -> Line:
    started = time.perf_counter()
    try:
        found: Line = {"numbers": part.work(bench)}
    except Exception as error:  # any failure of one part leaves the others their numbers
        text = str(error).strip() or "no message"
        found = {"error": f"{type(error).__name__}: {text.splitlines()[0]}"}
    return {"seconds": round(time.perf_counter() - started, 2), **found}


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure what a GPU reaches, without Ray."
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="time for all parts")
    parser.add_argument("--output", type=Path, help="file to which the lines are written as well")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS),
                        metavar="PART", help=f"parts to run: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", help="a folder; default: random weights of DistilBERT's size")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda",
                        help="device to measure")  # fmt: skip
    parser.add_argument("--small", action="store_true", help="run little: to test the script")
    return parser.parse_args()


def main() -> int:
    """Return 0 after all parts, 1 if one failed, 2 without the device."""
    args = parse()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("gpu.py: error: torch finds no CUDA device; --device cpu --small tries the script "
              "itself", file=sys.stderr)  # fmt: skip
        return 2
    deadline = time.monotonic() + 60 * args.minutes
    chosen = {name: part for name, part in PARTS.items() if name in args.parts}
    if args.output is not None:
        args.output.write_text("", encoding="utf-8")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        amounts = SMALL if args.small else FULL
        bench = Bench(torch.device(args.device), args.data, args.encoder, amounts, Path(folder))
        bench.deadline = deadline
        for line in run_parts(bench, chosen):
            text = json.dumps(rounded(line))
            print(text, flush=True)
            if args.output is not None:
                with args.output.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")
            failed = failed or "error" in line
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
