"""Deliver to MLflow what it has not been told yet: python -m tuning.tracking deliver."""

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
    """Return 0 when the store has all, 1 if it did not take something, 2 if it cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tuning.tracking")
    parser.add_argument("command", choices=["deliver"], help="what MLflow was not told yet")
    parser.add_argument("--output", type=Path, default=ROOT / "results", help="of the launches")
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
