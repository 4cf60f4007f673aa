"""Deliver to MLflow the journal entries that it lacks: python -m tuning.tracking deliver."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measures.passwords import first_line
from tuning.system.project import ROOT
from tuning.tracking.delivery import deliver, undelivered
from tuning.tracking.launch_folder import choose_store
from tuning.tracking.mlflow_reader import TrackingError
from tuning.tracking.mlflow_writer import STORE_ERRORS, is_away


def main() -> int:
    """Return 0 if the store has every entry, 1 if it is unavailable now, 2 if it is unusable."""
    parser = argparse.ArgumentParser(prog="python -m tuning.tracking")
    text = "write to MLflow the journal entries that it lacks"
    parser.add_argument("command", choices=["deliver"], help=text)
    text = "folder of the launches; default: results of the project"
    parser.add_argument("--output", type=Path, default=ROOT / "results", help=text)
    parser.add_argument("--tracking-uri", help="MLflow store; default: mlflow.db of the project")
    args = parser.parse_args()
    uri = choose_store(args.tracking_uri)
    folders = undelivered(args.output.resolve(), uri)
    for folder in folders:
        try:
            print(f"{folder.name}: {deliver(folder, uri)} entries delivered")
        except (*STORE_ERRORS, TrackingError) as error:
            print(f"{folder.name}: not delivered: {first_line(error)}", file=sys.stderr)
            return 1 if is_away(error, uri) else 2
    if not folders:
        print(f"nothing to deliver from {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
