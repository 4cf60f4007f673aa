"""Recompute a saved classifier's scores: python tuning/reproduce.py RUN_ID|FOLDER [--all NAME]."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tuning.cli import USER_ERRORS
from tuning.data.sources import read_locations
from tuning.system.project import ROOT


def main() -> int:
    """Return 0 if every metric agrees within 1e-4, 1 if one differs, 2 if it cannot be tried."""
    parser = argparse.ArgumentParser(description="Recompute a saved classifier's scores.")
    parser.add_argument("saved", nargs="?", help="an MLflow run id, or a folder of saved models")
    parser.add_argument("--all", metavar="NAME", help="every finished trial of this experiment")
    parser.add_argument("--data", help="folder of the data set, if it has moved")
    parser.add_argument("--tracking-uri", default=f"sqlite:///{ROOT / 'mlflow.db'}")
    args = parser.parse_args()
    if (args.saved is None) == (args.all is None):
        parser.error("name one run id or folder, or --all EXPERIMENT")
    from models.checkpoint import CheckpointError  # torch takes seconds

    try:
        return 0 if _reproduce(args) else 1
    except (*USER_ERRORS, CheckpointError) as error:
        print(f"reproduce.py: error: {error}", file=sys.stderr)
        return 2


def _reproduce(args: argparse.Namespace) -> bool:
    from tuning.training.reproduction import Reproducer

    reproducer = Reproducer(locations=read_locations(), console=Console(), data=args.data)
    saved = str(args.saved)
    if args.all is None and Path(saved).is_dir():
        return reproducer.check_folder(Path(saved))
    from tuning.tracking.mlflow_reader import fetch_run, finished_trials

    agreeing = []
    for run_id in finished_trials(args.tracking_uri, args.all) if args.all else [saved]:
        with tempfile.TemporaryDirectory() as scratch:
            classifier = fetch_run(args.tracking_uri, run_id, Path(scratch))
            agreeing.append(reproducer.check(run_id, *classifier))
    return reproducer.sum_up(agreeing)


if __name__ == "__main__":
    sys.exit(main())
