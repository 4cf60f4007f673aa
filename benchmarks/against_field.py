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
from benchmarks.inputs import data_anywhere, sample_pairs
from benchmarks.launches import OUTPUT, CommandError, run_limited
from benchmarks.records import describe_machine, read_record, save_record
from measures.addresses import sqlite_url
from tuning.config.loader import load_experiment
from tuning.download.packaged_encoder import find_packaged_encoder
from tuning.system.project import ROOT, git_commit

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


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))[:CORES]


def run_tuner(data: str, folder: Path, trials: int, minutes: float) -> dict[str, Any]:
    """Run this program's search, with nothing cached, and return what ``measured`` does."""
    store = sqlite_url(folder / "log.db")
    changes = (f"search.num_samples={trials}", f"search.seed={SEED}", *AFTER)
    words = [sys.executable, str(ROOT / "tuning/run_search.py"), str(SEARCH), "--data", data,
             "--encoder", "minilm", "--output", str(folder / "out"), "--tracking-uri", store,
             *(word for change in changes for word in ("--set", change))]  # fmt: skip
    began = time.time()
    code = run_limited(words, folder, 60 * minutes, _cores())
    ended = [(end - began, auc) for end, auc in trials_of_search(store)]
    return measured(folder, ended, code, minutes)


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
    code = run_limited(words, folder, 60 * minutes, _cores())
    lines = output.read_text(encoding="utf-8").splitlines() if output.is_file() else []
    ended = [(trial["time"] - began, trial["auc"]) for trial in map(json.loads, lines)]
    return measured(folder, ended, code, minutes)


def measured(
    folder: Path, ended: list[tuple[float, float]], code: int | None, minutes: float
) -> dict[str, Any]:
    """Return the curve of a program, its command's exit code, date and commit.

    Args:
        folder: Folder with the command's output.
        ended: Seconds from the start to the end of each trial, and its AUC; one that ended after
            the time was up, while the command was interrupted, does not count.
        code: Exit code of the command, None if it was interrupted.
        minutes: Its time.

    Raises:
        CommandError: If it failed before a trial had ended.
    """
    curve = best_so_far(trial for trial in ended if trial[0] <= 60 * minutes)
    if code and not curve:
        tail = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace")[-2000:]
        raise CommandError(f"no trial ended, exit code {code}:\n{tail}")
    date = describe_machine()["date"]
    return {"exit_code": code, "date": date, "commit": git_commit(), "curve": curve}


def kept_programs(
    record: dict[str, Any] | None, settings: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return what a record says of each program; nothing if other settings or a machine differ.

    Args:
        record: Record of before; None without one.
        settings: Data, pairs, trials, minutes and versions, as the record has them.
    """
    if record is None or not record["numbers"].items() >= settings.items():
        return {}
    here = describe_machine()
    same = all(record["machine"][name] == here[name] for name in here if name != "date")
    return dict(record["numbers"]["programs"]) if same else {}


def compare(args: argparse.Namespace, settings: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Run the chosen programs one after another; save the record after each, unless ``quick``.

    A program that fails leaves what is known of it and of the others.

    Args:
        args: Arguments of the script.
        settings: Data, pairs, trials, minutes and versions, as the record has them.

    Returns:
        The numbers of the record, and whether all chosen programs were measured.
    """
    programs = {} if args.quick else kept_programs(read_record(args.name), settings)
    numbers, missing = settings, list(args.only)
    with tempfile.TemporaryDirectory() as directory:
        data = args.data
        if args.pairs:
            folder = Path(directory) / "data"
            data = str(sample_pairs(data, folder, train=args.pairs, others=args.pairs))
        for name in args.only:
            folder = Path(directory) / name
            folder.mkdir()
            limits = data, folder, args.trials, args.minutes
            try:
                programs[name] = run_tuner(*limits) if name == OURS else run_rival(name, *limits)
            except CommandError as error:
                print(f"{name}: {error}", file=sys.stderr, flush=True)
                continue
            missing.remove(name)
            numbers = {**settings, "programs": programs, "summary": summarise(programs)}
            print(f"{name}: {len(programs[name]['curve'])} trials", flush=True)
            if not args.quick:
                save_record(args.name, numbers, whole=not missing)
    return numbers, not missing


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
    args.data = data_anywhere(args.data)
    return args


def main() -> int:
    """Return 0 after printing the table, 1 if a program failed."""
    args = read_arguments()
    # a script that starts this in the background ignores Ctrl-C, and so would the programs
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings = {"data": Path(args.data).name, "pairs": args.pairs, "trials": args.trials,
                "minutes": args.minutes,
                "versions": {name: version(name) for name in VERSIONS}}  # fmt: skip
    numbers, whole = compare(args, settings)
    if "programs" in numbers:
        header, lines = rows(numbers)
        table = Table("program", *header[1:])
        for line in lines:
            table.add_row(line[0].replace("`", ""), *line[1:])
        Console(width=160).print(table)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
