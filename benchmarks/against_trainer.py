"""Compare with Trainer in Ray Tune: python benchmarks/against_trainer.py --quick.

Both sides alternately run the same six-cell grid with the same data, head, epochs, batch size and
precision on a DistilBERT of full size; ``trainer_grid.py`` is the other side. The script prints
median seconds, their ratio, and the validation F1 of both. ``--quick`` has fewer pairs and a turn
of each case; it takes about 50 minutes on 2 cores, 40 of them for the other side, the full size
most of a working day. ``--repeats`` sets the number of turns; the record tells it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
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
    """Size of one case: pairs of the train and of the validation split, and epochs."""

    train: int
    validation: int
    epochs: int = 10


# Sizes by the number of frozen layers. With all layers frozen this program needs so little time
# that its start-up dominates, so that case has more pairs. With trained layers, training dominates
# on both sides, whatever the number of pairs.
QUICK = {LAYERS: Size(train=600, validation=300), 4: Size(train=400, validation=200)}
FULL = {frozen: Size(train=800, validation=400) for frozen in (LAYERS, 4)}


@dataclass(kw_only=True, slots=True)
class Compared:
    """Seconds and best F1 of both sides with ``frozen`` layers frozen, one entry per repeat.

    Of this program ``first_step`` are the seconds to the first training step, and ``training``
    those of all trials' epochs together.
    """

    frozen: int
    size: Size
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_f1: list[float] = field(default_factory=list)
    their_f1: list[float] = field(default_factory=list)
    first_step: list[float] = field(default_factory=list)
    training: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Return how many times faster this program is, as a ratio of median seconds."""
        return statistics.median(self.theirs) / statistics.median(self.ours)


def run_ours(compared: Compared, data: Path, encoder: Path, folder: Path) -> None:
    """Run this program, with nothing cached, and add its seconds and its best F1."""
    trial: dict[str, object] = {
        "freezing": compared.frozen,
        "epochs": compared.size.epochs,
        "encoding": "pair",  # what Trainer does
        "both_orders": False,
        "targets": "labels",
    }
    launch = run_grid(folder, trial, dict(GRID), "--data", str(data), "--encoder", str(encoder))
    compared.ours.append(launch.watched.seconds)
    compared.our_f1.append(max(launch.scores))
    compared.first_step.append(launch.first_step)
    compared.training.append(sum(launch.training))


def run_theirs(
    compared: Compared, data: Path, encoder: Path, folder: Path, attention: str
) -> None:
    """Run ``trainer_grid.py`` and add its seconds and its best F1."""
    folder.mkdir(parents=True)
    script = str(Path(__file__).with_name("trainer_grid.py"))
    words = ["--data", str(data), "--encoder", str(encoder), "--frozen", str(compared.frozen)]
    words += ["--epochs", str(compared.size.epochs), "--attention", attention]
    watched = watch([sys.executable, script, *words, "--output", str(folder / "f1.json")], folder)
    compared.theirs.append(watched.seconds)
    compared.their_f1.append(max(json.loads((folder / "f1.json").read_bytes())))


def compare(compared: list[Compared], repeats: int, data: str, attention: str, name: str) -> None:
    """Run both sides of each case alternately and save the numbers after each run.

    Numbers of other cases in an existing record are kept.

    Args:
        compared: Cases to run; their numbers are added to them.
        repeats: Number of runs of each side and case.
        data: Data set, as for ``run_grid.py``.
        attention: Attention implementation of the other side.
        name: Name of the record in benchmarks/results.
    """
    depths = [case.frozen for case in compared]
    before = (read_record(name) or {"numbers": {"cases": []}})["numbers"]["cases"]
    others = [case for case in before if case["frozen"] not in depths]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        encoder = random_distilbert(folder / "encoder")
        for repeat in range(repeats):
            for case in compared:
                run = f"{repeat}-{case.frozen}"
                pairs = sample_pairs(data, folder / f"data-{run}", train=case.size.train,
                                     others=case.size.validation)  # fmt: skip
                run_ours(case, pairs, encoder, folder / f"ours-{run}")
                run_theirs(case, pairs, encoder, folder / f"theirs-{run}", attention)
                now = time.strftime("%H:%M:%S")
                print(
                    f"{now} turn {repeat + 1} of {repeats}, {case.frozen} layers frozen: "
                    f"{case.ours[-1]:.0f} s against {case.theirs[-1]:.0f} s",
                    flush=True,
                )
                measured = [each for each in compared if each.theirs]
                kept = [*others, *({**asdict(each), "ratio": each.ratio} for each in measured)]
                numbers = {"data": Path(data).name, "cases": kept, "attention": attention}
                whole = all(len(each.theirs) == repeats for each in compared)
                save_record(name, numbers, whole=whole)


def show(compared: list[Compared]) -> Table:
    """Return a table of both sides with medians of the repeats, a row per case."""
    table = Table(title="Six cells on DistilBERT (66M), medians")
    sizes = ("frozen", "pairs", "epochs", "repeats")
    for name in (*sizes, "this program", "Trainer", "ratio", "F1", "Trainer's F1"):
        table.add_column(name, justify="right")
    for case in compared:
        seconds = statistics.median(case.ours), statistics.median(case.theirs)
        table.add_row(
            f"{case.frozen} of {LAYERS}",
            f"{case.size.train} + {case.size.validation}",
            str(case.size.epochs),
            str(len(case.ours)),
            *(f"{value:.0f} s" for value in seconds),
            f"{case.ratio:.1f}x",
            f"{statistics.median(case.our_f1):.3f}",
            f"{statistics.median(case.their_f1):.3f}",
        )
    return table


def main() -> int:
    """Return 0 after printing the table and saving its numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare with Trainer and Ray Tune."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--quick", action="store_true", help="fewer pairs, one turn")
    parser.add_argument("--repeats", type=int, help="turns; 1 with --quick, else 3")
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="sdpa",
                        help="attention of the other side; sdpa is its default")  # fmt: skip
    parser.add_argument("--frozen", type=int, choices=list(QUICK), help="run this case only")
    parser.add_argument(
        "--name", default="against_trainer", help="name of the file in benchmarks/results"
    )
    args = parser.parse_args()
    sizes, repeats = (QUICK, 1) if args.quick else (FULL, 3)
    depths = [frozen for frozen in sizes if args.frozen in (None, frozen)]
    compared = [Compared(frozen=frozen, size=sizes[frozen]) for frozen in depths]
    compare(compared, args.repeats or repeats, args.data, args.attention, args.name)
    Console().print(show(compared))
    return 0


if __name__ == "__main__":
    sys.exit(main())
