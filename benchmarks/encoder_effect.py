"""Compare encoders on a data set: python benchmarks/encoder_effect.py NAME=FOLDER ... --data DATA.

Runs experiments/encoder_effect.yaml on each: five seeds, all layers frozen (five
epochs) and all trained (two). The
first encoder named is what the others are compared with, seed by seed.
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
from tuning.system.project import ROOT

METRICS = ("test_auc", "test_f1", "test_accuracy", "test_f1_at_threshold")
KEPT = (*METRICS, "val_auc")  # the last one chooses between recipes
EPOCHS = {"all": 5, "none": 2}  # by freezing
Scores = dict[str, dict[str, list[float]]]  # by freezing, by metric: a value a seed


def measure(
    encoder: str, data: str, folder: Path, overrides: list[str], modes: list[str]
) -> Scores:
    """Return the scores of one encoder; grids that ended there are read, and not run again.

    Raises:
        CalledProcessError: If a grid fails.
    """
    found = {}
    for freezing in modes:
        epochs = EPOCHS[freezing]
        place = folder / freezing
        store = f"sqlite:///{place / 'mlflow.db'}"
        words = ["--encoder", encoder, "--data", data, "--output", str(place / "results")]
        changes = [*overrides, f"freezing={freezing}", f"epochs={epochs}"]
        words += ["--tracking-uri", store, *(w for c in changes for w in ("--set", c))]
        experiment = str(ROOT / "experiments/encoder_effect.yaml")
        script = str(ROOT / "tuning/run_grid.py")
        _run_once(place, [script, experiment, *words])
        found[freezing] = _read_scores(store)
    return found


def _run_once(place: Path, words: list[str]) -> None:
    """Run a grid that writes to ``place``, unless this very grid was run there to its end."""
    done = place / "command.json"
    if done.is_file() and json.loads(done.read_bytes()) == words:
        return
    if place.exists():
        sys.exit(f"{place}: holds another grid, or one that did not end; remove it, or name "
                 "another --output")  # fmt: skip
    place.mkdir(parents=True)
    subprocess.run([sys.executable, *words], check=True)
    done.write_text(json.dumps(words), encoding="utf-8")


def _read_scores(store: str) -> dict[str, list[float]]:
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("encoder_effect")
    assert experiment is not None, "the grid made it"
    query = "tags.kind = 'trial' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment.experiment_id], query)
    runs = sorted(runs, key=lambda run: int(run.data.params["seed"]))
    return {metric: [run.data.metrics[metric] for run in runs] for metric in KEPT}


def gain(values: list[float], base: list[float]) -> tuple[float, float, float]:
    """Return the mean of the paired differences and its 95 % t-interval over the seeds."""
    differences = [one - other for one, other in zip(values, base, strict=True)]
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return mean, math.nan, math.nan
    spread = statistics.stdev(differences) / math.sqrt(len(differences))
    reach = float(stats.t.ppf(0.975, len(differences) - 1)) * spread
    return mean, mean - reach, mean + reach


def show(measured: dict[str, Scores]) -> Table:
    """Return the table: means and standard deviations over seeds, and the gain in AUC."""
    table = Table(title="Test split, mean ± standard deviation over seeds")
    for name in ("layers", "encoder", "AUC", "F1", "accuracy", "F1*", "AUC over the first"):
        table.add_column(name)
    first = next(iter(measured.values()))
    for freezing in first:
        for name, scores in measured.items():
            values = scores[freezing]
            cells = [
                f"{statistics.mean(values[m]):.3f} ± {statistics.stdev(values[m]):.3f}"
                for m in METRICS
            ]
            mean, low, high = gain(values["test_auc"], first[freezing]["test_auc"])
            difference = "" if scores is first else f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            layers = "frozen" if freezing == "all" else "trained"
            table.add_row(layers, name, *cells, difference)
    return table


def main() -> int:
    """Return 0 after printing the table and keeping its numbers."""
    parser = argparse.ArgumentParser(description="Compare encoders, seed by seed.")
    parser.add_argument("encoders", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--output", type=Path, required=True, help="folder for the grids; made")
    parser.add_argument("--seeds", type=int, default=5, help="from 0")
    parser.add_argument("--freezing", nargs="+", choices=list(EPOCHS), default=list(EPOCHS))
    parser.add_argument("--name", default="encoder_effect", help="of the file in results")
    parser.add_argument("--rate", action="append", default=[], metavar="NAME=RATE",
                        help="peak rate of this encoder's trained layers")  # fmt: skip
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error("--seeds: must be at least 2, or there is no spread to compare with")
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
