"""Recompute a saved classifier's scores: python tuning/reproduce.py RUN_ID|FOLDER [--all NAME]."""

import argparse
import sys

from rich.console import Console

from tuning.options import ROOT, read_places
from tuning.prepare import USER_ERRORS


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
    from models.checkpoint import CheckpointError
    from tuning.reproduction import Reproducer  # torch and MLflow take seconds

    try:
        reproducer = Reproducer(
            tracking_uri=args.tracking_uri,
            places=read_places(),
            console=Console(),
            data=args.data,
        )
        agree = reproducer.run_all(args.all) if args.all else reproducer.run(args.saved)
        return 0 if agree else 1
    except (*USER_ERRORS, CheckpointError) as error:
        print(f"reproduce.py: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
