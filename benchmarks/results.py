"""Measure everything on PARADE, write the pages: python benchmarks/results.py --data FOLDER.

Each step leaves a record in benchmarks/results/. A step whose record was made by its present
command is skipped, and an interrupted launch is resumed, so that the command can be repeated until
all is done. Then every marked block of the pages, and the README's picture, is written from the
records; ``--write`` does that alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages import write_pages
from benchmarks.records import RESULTS, UNFINISHED, read_record, write_record
from measures.addresses import sqlite_url, user_path
from tuning.config.loader import load_experiment
from tuning.config.trial_values import known_before
from tuning.data import parade
from tuning.system.project import ROOT
from tuning.tracking.resume import find_interrupted

WORK = ROOT / "results/measured"  # launches, states and log of the steps
STORE, ENDED = "mlflow.db", "ended.json"  # in it, and in the folder of a launch without a record
GRID = "tuning/run_grid.py --data FOLDER --encoder minilm"
FROZEN = ("--set name=encoding --set freezing=all --set optimizer=adamw --set learning_rate=0.001 "
          "--set overlap_features=true --set 'seed=[0,1,2,3,4]'")  # fmt: skip
ENCODING = f"{GRID} {FROZEN} --set epochs=4"
COMPARED = {
    "encodings": "--set cosine_feature=false --set 'encoding=[separate, pair]'",
    "cosine": "--set encoding=separate --set cosine_feature=true",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A measurement: its command with FOLDER for PARADE, and what it costs on 2 cores.

    ``name`` is that of the record. ``experiment`` is that of the launch, None if the command is
    a benchmark, which writes its record itself; ``config`` is the launch's file in experiments/.
    """

    name: str
    command: str
    minutes: int
    experiment: str | None = None
    config: str = "grid"

    def state(self, folder: Path = RESULTS) -> str:
        """Return ``done``, ``not measured``, or what its record is.

        ``older``: other inputs made it; ``begun``: the benchmark was interrupted.
        """
        record = read_record(self.name, folder)
        if record is None:
            return "not measured"
        if not record.items() >= self.inputs.items():
            return "older"
        return "begun" if record.get(UNFINISHED) else "done"

    @property
    def inputs(self) -> dict[str, str]:
        """Return what a record must be made of: the command, the experiment with all defaults."""
        if self.experiment is None:
            return {"command": self.printed}
        words = shlex.split(self.command)
        changes = [words[n + 1] for n, word in enumerate(words) if word == "--set"]
        experiment = load_experiment(ROOT / f"experiments/{self.config}.yaml", changes)
        values = json.dumps(known_before(experiment.model_dump()), default=str, sort_keys=True)
        whole = hashlib.sha256(values.encode()).hexdigest()
        return {"command": self.printed, "experiment": whole[:16]}

    @property
    def printed(self) -> str:
        """Return the command as the pages show it."""
        return shlex.join(["python", *shlex.split(self.command)])


STEPS = (
    Step(name="grid_embedded", experiment="grid", minutes=5,
         command="tuning/run_grid.py --data embedded --encoder minilm"),
    Step(name="grid_parade", experiment="grid", minutes=14, command=GRID),
    Step(name="freezing_parade", experiment="freezing", config="freezing", minutes=60,
         command="tuning/run_grid.py experiments/freezing.yaml --data FOLDER --encoder minilm"),
    Step(name="encodings_parade", experiment="encoding", minutes=11,
         command=f"{ENCODING} {COMPARED['encodings']}"),
    Step(name="cosine_parade", experiment="encoding", minutes=5,
         command=f"{ENCODING} {COMPARED['cosine']}"),
    *(Step(name=f"{name}_embedded{'' if encoder == 'embedded' else f'_{encoder}'}", minutes=2,
           experiment="encoding",
           command=f"tuning/run_grid.py --data embedded --encoder {encoder} {FROZEN} {changes}")
      for encoder in ("minilm", "embedded") for name, changes in COMPARED.items()),
    Step(name="search_parade", experiment="bonus_f1", config="bonus_f1", minutes=90,
         command="tuning/run_search.py --data FOLDER --encoder minilm"),
    Step(name="champion_parade", experiment="champion", config="champion", minutes=45,
         command="tuning/run_search.py experiments/champion.yaml --data FOLDER --encoder minilm"),
    Step(name="statistics", command="benchmarks/simulated_tests.py", minutes=6),
    Step(name="gap_statistics", command="benchmarks/simulated_gaps.py --times 200", minutes=8),
    Step(name="baselines", command="benchmarks/baselines.py --data FOLDER", minutes=1),
    Step(name="choices", command="benchmarks/choices.py --data FOLDER", minutes=8),
    Step(name="intermediate", command="benchmarks/intermediate.py --data FOLDER", minutes=6),
    Step(name="weight_decay_all", command="benchmarks/weight_decay.py --data FOLDER", minutes=10),
    Step(name="weight_decay_some", minutes=15,
         command="benchmarks/weight_decay.py --encoder embedded --freezing some"),
    Step(name="folds_embedded", command="benchmarks/folds.py --encoder embedded", minutes=35),
    Step(name="folds_parade", command="benchmarks/folds.py --data FOLDER", minutes=150),
    Step(name="frozen_pass", command="benchmarks/frozen_pass.py --data FOLDER", minutes=3),
    Step(name="floor", command="benchmarks/floor.py --data FOLDER", minutes=6),
    Step(name="start_up", command="benchmarks/start_up.py --data FOLDER", minutes=3),
    Step(name="scaling", command="benchmarks/scaling.py --data FOLDER", minutes=18),
    Step(name="whole_grid", command="benchmarks/whole_grid.py", minutes=7),
    Step(name="driver_limit", command="benchmarks/driver_limit.py --trials 1000", minutes=10),
    Step(name="driver_limit_by_reference", minutes=8,
         command="benchmarks/driver_limit.py --by-reference --trials 300 "
                 "--at-once 4 --name driver_limit_by_reference"),
    Step(name="larger_data", command="benchmarks/larger_data.py", minutes=30),
    Step(name="faults", command="-m tests.faults.long_form", minutes=30),
    Step(name="against_trainer", command="benchmarks/against_trainer.py --data FOLDER --quick",
         minutes=50),
    Step(name="against_field", command="benchmarks/against_field.py --data FOLDER", minutes=75),
)  # fmt: skip


def run_step(step: Step, data: Path, work: Path) -> int:
    """Run a step and return the exit code of its command; 0 if its record is written.

    Args:
        step: Step to run.
        data: PARADE's folder.
        work: Folder for launches and their log.
    """
    began, fresh = time.monotonic(), not (work / step.name).exists()
    code = _run(words) if (words := next_words(step, data, work)) else 0
    if step.experiment is not None and code == 0:
        ended = work / step.name / ENDED
        ended.write_text(json.dumps(step.inputs), encoding="utf-8")
        code = _run(["benchmarks/export_launch.py", step.name, "--experiment", step.experiment,
                     "--tracking-uri", sqlite_url(work / STORE)])  # fmt: skip
        if code == 0:
            ended.unlink()
    record = read_record(step.name)
    if code == 0 and record is not None:
        seconds = {"seconds": time.monotonic() - began} if fresh else {}  # none if resumed
        write_record(step.name, {**record, **step.inputs, **seconds})
    return code


def next_words(step: Step, data: Path, work: Path) -> list[str]:
    """Return the arguments of Python for what a step has left; none if its launch has ended.

    An interrupted launch is resumed. One that has ended, but left no record, is not run again.
    """
    words = [str(data) if word == "FOLDER" else word for word in shlex.split(step.command)]
    if step.experiment is None:
        return words
    folder = work / step.name
    ended = folder / ENDED
    if ended.is_file() and json.loads(ended.read_bytes()) == step.inputs:
        return []
    resume = ["--resume"] if find_interrupted(folder, step.experiment) else []
    return [*words, "--output", str(folder), "--tracking-uri", sqlite_url(work / STORE), *resume]


def _run(words: list[str]) -> int:
    """Run a command of this project in its folder and return its exit code."""
    return subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode


def describe(step: Step) -> str:
    """Return a line on a step: its minutes, what its record says, its command."""
    date = (read_record(step.name) or {}).get("machine", {}).get("date", "")
    width = max(len(each.name) for each in STEPS)
    words = f"{step.name:<{width}} {step.minutes:>4} min  {step.state():<13} {date:<11}"
    return f"{words} {step.printed}"


def read_arguments() -> argparse.Namespace:
    """Return the command line, checked: PARADE as published is needed for all that measures."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure everything on PARADE and write the pages."
    )
    names = [step.name for step in STEPS]
    parser.add_argument("--data", type=user_path, help="folder with PARADE's three files")
    parser.add_argument("--only", nargs="+", choices=names, metavar="STEP", default=[],
                        help="run these steps, even if they are done")  # fmt: skip
    parser.add_argument("--work", type=user_path, default=WORK,
                        help="folder for launches and their log; default results/measured"
                        )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="show the steps and stop")
    parser.add_argument("--write", action="store_true", help="write the pages and stop")
    args = parser.parse_args()
    if args.list or args.write:
        return args
    if args.data is None:
        parser.error("--data: name the folder with PARADE's three files")
    if altered := parade.find_altered(args.data):
        parser.error(f"--data: {altered}")
    args.data, args.work = args.data.resolve(), args.work.resolve()
    return args


def main() -> int:
    """Return 0 if every step has its record and the pages are written, else the failed step's."""
    args = read_arguments()
    if args.list:
        print("\n".join(map(describe, STEPS)))
        return 0
    chosen = [] if args.write else STEPS
    for step in chosen:
        if step.name not in args.only if args.only else step.state() == "done":
            continue
        print(f"== {step.name}, about {step.minutes} minutes", flush=True)
        if code := run_step(step, args.data, args.work):
            print(f"{step.name}: ended with {code}; repeat the command to go on from here")
            return code
    print("\n".join(f"written: {name}" for name in write_pages()) or "no page has changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
