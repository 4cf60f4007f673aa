"""Measure what the goals are about, then show them: python benchmarks/bench.py [--data FOLDER].

The steps run one after another, each in a process of its own, and leave a record each; one that
fails does not stop the others. It takes about 80 minutes on 2 idle cores; run nothing beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tuning.system.project import ROOT
from tuning.system.time_left import exactly

STEPS = (  # minutes on 2 idle cores, script and its options; FOLDER is the data
    (3, ("start_up.py", "--data", "FOLDER")),
    (4, ("floor.py", "--data", "FOLDER")),
    (2, ("where_time_goes.py", "--data", "FOLDER")),
    (7, ("whole_grid.py",)),
    (16, ("scaling.py", "--data", "FOLDER")),
    (50, ("against_trainer.py", "--data", "FOLDER", "--quick")),
    (0, ("goals.py",)),
)


def run_steps(steps: Sequence[tuple[int, Sequence[str]]], data: str, folder: Path) -> list[str]:
    """Run every step, telling when it starts and how long it will take; return those that failed.

    Args:
        steps: Minutes, script and options of each.
        data: Data set in place of ``FOLDER``.
        folder: Folder of the scripts.
    """
    failed, began = [], time.monotonic()
    left = sum(minutes for minutes, _ in steps)
    for number, (minutes, (script, *options)) in enumerate(steps, 1):
        words = [data if word == "FOLDER" else word for word in options]
        now = time.strftime("%H:%M:%S")
        print(
            f"== {now} step {number} of {len(steps)}: {script} {' '.join(words)}: about "
            f"{minutes} minutes, {left} to the end",
            flush=True,
        )
        code = subprocess.run(
            [sys.executable, str(folder / script), *words], check=False
        ).returncode
        left -= minutes
        if code:
            failed.append(script)
            print(f"== {script} ended with {code}; the other steps go on", flush=True)
    print(
        f"== {time.strftime('%H:%M:%S')} took {exactly(time.monotonic() - began)}; "
        f"failed: {', '.join(failed) or 'none'}",
        flush=True,
    )
    return failed


def main() -> int:
    """Return 0 if every step ended well, else 1; goals that are missed are no failure."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure what the goals are about, then show them."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    args = parser.parse_args()
    return 1 if run_steps(STEPS, args.data, ROOT / "benchmarks") else 0


if __name__ == "__main__":
    sys.exit(main())
