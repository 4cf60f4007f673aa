"""Compare encoders on a data set: python benchmarks/encoder_effect.py NAME=FOLDER ... --data DATA.

Runs experiments/encoder_effect.yaml with each encoder: five seeds, with all layers frozen (five
epochs) and with all trained (two epochs). The other encoders are compared with the first one, seed
by seed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

from mlflow.tracking import MlflowClient
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.records import save_record
from measures.addresses import sqlite_url
from tuning.system.project import ROOT

METRICS = ("test_auc", "test_f1", "test_accuracy", "test_f1_at_threshold")
KEPT = (*METRICS, "val_auc")  # the last one serves to choose between pretraining recipes
EPOCHS = {"all": 5, "none": 2}  # by freezing
Scores = dict[str, dict[str, list[float]]]  # by freezing, by metric: one value per seed


def measure(
    encoder: str, data: str, folder: Path, overrides: list[str], modes: list[str]
) -> Scores:
    """Return the scores of one encoder; a grid that has finished in ``folder`` is not run again.

    Args:
        encoder: Encoder, as for ``run_grid.py``.
        data: Data set, as for ``run_grid.py``.
        folder: Folder for the grids; created.
        overrides: Changes of the experiment, as KEY=VALUE.
        modes: Freezing modes to run, ``all`` or ``none``.

    Raises:
        SystemExit: If ``folder`` holds another grid, or one that did not finish.
        CalledProcessError: If a grid fails.
    """
    found = {}
    for freezing in modes:
        own = folder / freezing
        store = sqlite_url(own / "mlflow.db")
        command = [str(ROOT / "tuning/run_grid.py"), str(ROOT / "experiments/encoder_effect.yaml")]
        command += ["--encoder", encoder, "--data", data, "--output", str(own / "results")]
        command += ["--tracking-uri", store]
        for change in (*overrides, f"freezing={freezing}", f"epochs={EPOCHS[freezing]}"):
            command += ["--set", change]
        _run_once(own, command)
        found[freezing] = _read_scores(store)
    return found


def _run_once(folder: Path, command: list[str]) -> None:
    """Run a grid that writes to ``folder``, unless the same command has finished there before."""
    done = folder / "command.json"
    if done.is_file() and json.loads(done.read_bytes()) == command:
        return
    if folder.exists():
        sys.exit(f"{folder}: holds another grid, or one that did not finish; remove it, or choose "
                 "another --output")  # fmt: skip
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, *command], check=True)
    done.write_text(json.dumps(command), encoding="utf-8")


def _read_scores(store: str) -> dict[str, list[float]]:
    """Return the values of each metric of the finished trials, in the order of their seeds."""
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("encoder_effect")
    assert experiment is not None, "the grid created it"
    query = "tags.kind = 'trial' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment.experiment_id], query)
    runs = sorted(runs, key=lambda run: int(run.data.params["seed"]))
    return {metric: [run.data.metrics[metric] for run in runs] for metric in KEPT}


def gain(values: list[float], base: list[float]) -> tuple[float, float, float]:
    """Return the mean of the paired differences and its 95 % interval (Student's t) over seeds.

    The ends of the interval are NaN for a single seed.
    """
    differences = [one - other for one, other in zip(values, base, strict=True)]
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return mean, math.nan, math.nan
    spread = statistics.stdev(differences) / math.sqrt(len(differences))
    reach = float(stats.t.ppf(0.975, len(differences) - 1)) * spread
    return mean, mean - reach, mean + reach


def show(measured: dict[str, Scores]) -> Table:
    """Return a table of means and standard deviations over seeds, and of the gain in AUC."""
    table = Table(title="Test split, mean ± standard deviation over seeds")
    for name in ("layers", "encoder", "AUC", "F1", "accuracy", "F1*", "AUC over the first"):
        table.add_column(name)
    first = next(iter(measured.values()))
    for freezing in first:
        for name, scores in measured.items():
            values = scores[freezing]
            cells = [
                f"{statistics.mean(values[metric]):.3f} ± {statistics.stdev(values[metric]):.3f}"
                for metric in METRICS
            ]
            mean, low, high = gain(values["test_auc"], first[freezing]["test_auc"])
            difference = "" if scores is first else f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            layers = "frozen" if freezing == "all" else "trained"
            table.add_row(layers, name, *cells, difference)
    return table


def main() -> int:
    """Return 0 after printing the table and saving its numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare encoders, seed by seed."
    )
    parser.add_argument(
        "encoders",
        nargs="+",
        metavar="NAME=FOLDER",
        help="encoders; the first is the one to compare with",
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--output", type=Path, required=True, help="folder for the grids; created")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument("--freezing", nargs="+", choices=list(EPOCHS), default=list(EPOCHS),
                        help="frozen layers of the encoder; default: both")  # fmt: skip
    parser.add_argument(
        "--name", default="encoder_effect", help="name of the file in benchmarks/results"
    )
    parser.add_argument("--rate", action="append", default=[], metavar="NAME=RATE",
                        help="peak learning rate of this encoder's trained layers")  # fmt: skip
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error(
            f"--seeds: must be at least 2, got {args.seeds}; one seed has no standard deviation"
        )
    rates = dict(text.split("=", 1) for text in args.rate)
    measured = {}
    for text in args.encoders:
        name, _, folder = text.partition("=")
        overrides = [f"seed={list(range(args.seeds))}"]
        overrides += [f"encoder_learning_rate={rates[name]}"] if name in rates else []
        output = args.output.resolve() / name
        measured[name] = measure(folder, args.data, output, overrides, args.freezing)
        save_record(args.name, {"data": Path(args.data).name, "rates": rates, **measured})
    Console(width=120).print(show(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
