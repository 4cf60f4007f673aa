"""This program against Trainer in Ray Tune: python benchmarks/against_trainer.py --quick.

The same six-cell grid, data, head, epochs, batch size and precision on a DistilBERT of full size,
in turns; prints medians, their ratio, and the validation F1 of both. ``trainer_grid.py`` is the
other side. ``--quick`` takes about 100 minutes on 2 cores, the full size most of a working day.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.inputs import random_distilbert, sample_pairs
from benchmarks.launches import run_grid, watch
from benchmarks.records import read_record, save_record

GRID = {"optimizer": ["adamw", "sgd"], "learning_rate": [0.001, 0.01, 0.1]}
LAYERS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is run: pairs of the training split and of validation, epochs by frozen layers."""

    train: int
    validation: int
    epochs: dict[int, int]
    repeats: int


QUICK = Size(train=400, validation=200, epochs={LAYERS: 10, 4: 10}, repeats=2)
FULL = Size(train=800, validation=400, epochs={LAYERS: 10, 4: 10}, repeats=3)


@dataclass(kw_only=True, slots=True)
class Compared:
    """Seconds and best F1 of both sides with so many layers frozen, one entry a repeat."""

    frozen: int
    epochs: int
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_f1: list[float] = field(default_factory=list)
    their_f1: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Return how many times faster this program is: a ratio of medians."""
        return statistics.median(self.theirs) / statistics.median(self.ours)


def run_ours(compared: Compared, data: Path, encoder: Path, folder: Path) -> None:
    """Add one run of this program, with nothing cached."""
    trial: dict[str, object] = {
        "freezing": compared.frozen,
        "epochs": compared.epochs,
        "both_orders": False,
        "targets": "labels",
    }
    launch = run_grid(folder, trial, dict(GRID), "--data", str(data), "--encoder", str(encoder))
    compared.ours.append(launch.watched.seconds)
    compared.our_f1.append(max(launch.scores))


def run_theirs(
    compared: Compared, data: Path, encoder: Path, folder: Path, attention: str
) -> None:
    """Add one run of the other side."""
    folder.mkdir(parents=True)
    script = str(Path(__file__).with_name("trainer_grid.py"))
    words = ["--data", str(data), "--encoder", str(encoder), "--frozen", str(compared.frozen)]
    words += ["--epochs", str(compared.epochs), "--attention", attention]
    watched = watch([sys.executable, script, *words, "--output", str(folder / "f1.json")], folder)
    compared.theirs.append(watched.seconds)
    compared.their_f1.append(max(json.loads((folder / "f1.json").read_bytes())))


def compare(
    size: Size, data: str, attention: str, name: str, only: int | None = None
) -> list[Compared]:
    """Return both sides for each number of frozen layers; keep the numbers after each run.

    With ``only`` one number of layers is run, and what the record says of the others stays.
    """
    depths = [frozen for frozen in size.epochs if only in (None, frozen)]
    compared = [Compared(frozen=frozen, epochs=size.epochs[frozen]) for frozen in depths]
    before = (read_record(name) or {"numbers": {"cases": []}})["numbers"]["cases"]
    others = [case for case in before if case["frozen"] not in depths]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        encoder = random_distilbert(folder / "encoder")
        pairs = sample_pairs(data, folder / "data", train=size.train, others=size.validation)
        for repeat in range(size.repeats):
            for case in compared:
                run = f"{repeat}-{case.frozen}"
                run_ours(case, pairs, encoder, folder / f"ours-{run}")
                run_theirs(case, pairs, encoder, folder / f"theirs-{run}", attention)
                print(f"{run}: {case.ours[-1]:.0f} s against {case.theirs[-1]:.0f} s", flush=True)
                measured = [c for c in compared if c.theirs]
                kept = [*others, *({**asdict(c), "ratio": c.ratio} for c in measured)]
                save_record(name, {"data": Path(data).name, "size": asdict(size), "cases": kept,
                                   "attention": attention})  # fmt: skip
    return compared


def show(compared: list[Compared], pairs: str = "") -> Table:
    """Return the table of both sides; ``pairs`` says of how many."""
    table = Table(title=f"Six cells on DistilBERT (66M), {pairs}")
    for name in ("frozen", "epochs", "this program", "Trainer", "ratio", "F1", "Trainer's F1"):
        table.add_column(name, justify="right")
    for case in compared:
        seconds = statistics.median(case.ours), statistics.median(case.theirs)
        table.add_row(
            f"{case.frozen} of {LAYERS}",
            str(case.epochs),
            *(f"{value:.0f} s" for value in seconds),
            f"{case.ratio:.1f}x",
            f"{statistics.median(case.our_f1):.3f}",
            f"{statistics.median(case.their_f1):.3f}",
        )
    return table


def main() -> int:
    """Return 0 after printing the table and keeping its numbers."""
    parser = argparse.ArgumentParser(description="Compare with Trainer and Ray Tune.")
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--quick", action="store_true", help="fewer pairs and repeats")
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="sdpa",
                        help="of the other side; sdpa is its default")  # fmt: skip
    parser.add_argument(
        "--frozen", type=int, choices=list(QUICK.epochs), help="run this case only"
    )
    parser.add_argument("--name", default="against_trainer", help="of the file in results")
    args = parser.parse_args()
    size = QUICK if args.quick else FULL
    pairs = f"{size.train} + {size.validation} pairs, medians of {size.repeats}"
    Console().print(show(compare(size, args.data, args.attention, args.name, args.frozen), pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
