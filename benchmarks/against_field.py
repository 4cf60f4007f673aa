"""Compare with what others would pick: python benchmarks/against_field.py --data FOLDER.

Three programs search on the same two cores, with the same train and validation pairs, weights
(``minilm``), number of trials and seed of Optuna's TPE: this one as a user runs it, and the two of
``field_rivals.py``. The record has the best validation AUC by time of each. Only the trials of our
search count, not what follows it. Scores on test are not read.

An idle machine is needed. Each program takes up to ``--minutes``; ``--only`` runs some, and keeps
the others of a record with the same settings. ``--quick`` tries all three and leaves no record.
The trainer of cross encoders needs more packages: pip install -c constraints.txt -e '.[rivals]'
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from rich.console import Console
from rich.table import Table

from benchmarks.field_blocks import OURS, PROGRAMS, best_so_far, rows, summarise
from benchmarks.inputs import sample_pairs
from benchmarks.launches import CommandError
from benchmarks.records import read_record, save_record
from measures.addresses import sqlite_url, user_path
from tuning.config.loader import load_experiment
from tuning.download.packaged_encoder import find_packaged_encoder
from tuning.system.project import ROOT

CORES, SEED = 2, 0
TRIALS, PAIRS, MINUTES = 30, None, 25.0
QUICK_TRIALS, QUICK_PAIRS, QUICK_MINUTES = 1, 200, 5.0
NEEDED = {OURS: (), "embeddings": ("sentence_transformers",),
          "cross_encoder": ("sentence_transformers", "datasets", "accelerate")}  # fmt: skip
VERSIONS = ("sentence-transformers", "scikit-learn", "optuna")
SEARCH = ROOT / "experiments/bonus_f1.yaml"
# what follows the search is as short as it can be: it is not measured
AFTER = ("search.confirm=1", "search.finalists=null", "search.fresh_seeds=2",
         "search.ablations=false")  # fmt: skip
_GRACE = 120  # seconds in which an interrupted command may end by itself


def run_limited(words: list[str], folder: Path, seconds: float) -> bool:
    """Run a command on ``CORES`` cores; return whether it ended before it was interrupted.

    Args:
        words: Command and its arguments.
        folder: Working directory; the command's output goes to its output.txt.
        seconds: Time after which it is interrupted as by Ctrl-C.

    Raises:
        CommandError: If it fails by itself.
    """
    threads = {name: str(CORES) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    log = folder / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT,
                                   env=os.environ | threads)  # fmt: skip
        os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:CORES])
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            return False
    if code:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise CommandError(f"{' '.join(words)}: exit code {code}\n{tail}")
    return True


def run_tuner(data: str, folder: Path, trials: int, minutes: float) -> dict[str, Any]:
    """Run this program's search, with nothing cached, and return what ``measured`` does."""
    store = sqlite_url(folder / "log.db")
    changes = (f"search.num_samples={trials}", f"search.seed={SEED}", *AFTER)
    words = [sys.executable, str(ROOT / "tuning/run_search.py"), str(SEARCH), "--data", data,
             "--encoder", "minilm", "--output", str(folder / "out"), "--tracking-uri", store,
             *(word for change in changes for word in ("--set", change))]  # fmt: skip
    began = time.time()
    finished = run_limited(words, folder, 60 * minutes)
    return measured(trials_of_search(store), began, finished)


def trials_of_search(store: str) -> list[tuple[float, float]]:
    """Return the end (seconds since 1970) and the validation AUC of each trial of the search.

    Trials that failed, and those of the stages after the search, are left out.
    """
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name(load_experiment(SEARCH, []).name)
    if experiment is None:
        return []
    runs = client.search_runs(
        [experiment.experiment_id],
        "tags.kind = 'trial' and attributes.status = 'FINISHED'",
        max_results=10_000,
    )
    return [
        (run.info.end_time / 1000, run.data.metrics["val_auc"])
        for run in runs
        if run.data.tags.get("stage", "search") == "search" and run.info.end_time
    ]


def run_rival(name: str, data: str, folder: Path, trials: int, minutes: float) -> dict[str, Any]:
    """Run one of ``field_rivals.py`` and return what ``measured`` does."""
    output = folder / "trials.jsonl"
    script = Path(__file__).with_name("field_rivals.py")
    words = [sys.executable, str(script), name, "--data", data,
             "--encoder", str(find_packaged_encoder()), "--trials", str(trials),
             "--seed", str(SEED), "--threads", str(CORES), "--output", str(output)]  # fmt: skip
    began = time.time()
    finished = run_limited(words, folder, 60 * minutes)
    lines = output.read_text(encoding="utf-8").splitlines() if output.is_file() else []
    ended = [json.loads(line) for line in lines]
    return measured([(trial["time"], trial["auc"]) for trial in ended], began, finished)


def measured(ended: list[tuple[float, float]], began: float, finished: bool) -> dict[str, Any]:
    """Return the curve of a program, and whether its command ended before its time was up.

    Args:
        ended: End in seconds since 1970, and AUC, of each trial.
        began: Start of the command, in seconds since 1970.
        finished: Whether the command ended by itself.
    """
    return {"finished": finished, "curve": best_so_far((end - began, auc) for end, auc in ended)}


def compare(args: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Run the chosen programs one after another; save the record after each, unless ``quick``.

    Args:
        args: Arguments of the script.
        settings: Data, pairs, trials and minutes, as the record has them.
    """
    before = (read_record(args.name) or {"numbers": {}})["numbers"]
    kept = before["programs"] if before.items() >= settings.items() and not args.quick else {}
    numbers = {**settings, "versions": {name: version(name) for name in VERSIONS}}
    programs = {name: found for name, found in kept.items() if name not in args.only}
    with tempfile.TemporaryDirectory() as directory:
        data = args.data
        if args.pairs:
            folder = Path(directory) / "data"
            data = str(sample_pairs(data, folder, train=args.pairs, others=args.pairs))
        for name in args.only:
            folder = Path(directory) / name
            folder.mkdir()
            limits = data, folder, args.trials, args.minutes
            programs[name] = run_tuner(*limits) if name == OURS else run_rival(name, *limits)
            numbers |= {"programs": programs, "summary": summarise(programs)}
            print(f"{name}: {len(programs[name]['curve'])} trials", flush=True)
            if not args.quick:
                save_record(args.name, numbers)
    return numbers


def read_arguments() -> argparse.Namespace:
    """Return the command line, checked: each chosen program has the packages that it needs."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare with sentence-transformers and scikit-learn."
    )
    parser.add_argument("--data", default="embedded", help="as for run_search.py")
    parser.add_argument("--trials", type=int, help=f"of each program; default {TRIALS}")
    parser.add_argument("--pairs", type=int, help="random pairs to train on; default: all")
    parser.add_argument("--minutes", type=float, help=f"for each program; default {MINUTES:g}")
    parser.add_argument("--only", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS))
    parser.add_argument("--quick", action="store_true", help="try all in minutes, save nothing")
    parser.add_argument("--name", default="against_field",
                        help="name of the file in benchmarks/results")  # fmt: skip
    args = parser.parse_args()
    usual = (QUICK_TRIALS, QUICK_PAIRS, QUICK_MINUTES) if args.quick else (TRIALS, PAIRS, MINUTES)
    for name, value in zip(("trials", "pairs", "minutes"), usual, strict=True):
        if getattr(args, name) is None:
            setattr(args, name, value)
        elif getattr(args, name) <= 0:
            parser.error(f"--{name}: must be above 0, got {getattr(args, name)}")
    for name in args.only:
        if missing := [package for package in NEEDED[name] if find_spec(package) is None]:
            parser.error(
                f"{name} needs {', '.join(missing)}: pip install -c constraints.txt -e "
                "'.[rivals]', or leave it out with --only"
            )
    if args.data != "embedded":
        args.data = str(user_path(args.data).resolve())
    return args


def main() -> int:
    """Return 0 after printing the table."""
    args = read_arguments()
    settings = {"data": Path(args.data).name, "pairs": args.pairs, "trials": args.trials,
                "minutes": args.minutes}  # fmt: skip
    header, lines = rows(compare(args, settings))
    table = Table("program", *header[1:])
    for line in lines:
        table.add_row(line[0].replace("`", ""), *line[1:])
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
