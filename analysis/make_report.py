"""Make the report from the log: python analysis/make_report.py [--tracking-uri URI]"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Return 0 when the report is made, 2 if the store has nothing to report."""
    parser = argparse.ArgumentParser(description="Turn the MLflow log into Report.pdf.")
    parser.add_argument("--tracking-uri", default=f"sqlite:///{ROOT / 'mlflow.db'}",
                        help="the MLflow store; default mlflow.db of the project")  # fmt: skip
    parser.add_argument("--output", type=Path, default=ROOT / "report",
                        help="folder of the report, its figures and tables")  # fmt: skip
    parser.add_argument("--grid", default="grid", help="MLflow experiment with the grid")
    parser.add_argument("--freezing", default="freezing", help="MLflow experiment with the seeds")
    args = parser.parse_args()

    from analysis.load_runs import Store, StoreError  # heavy: not for --help
    from analysis.report import Sources, publish

    try:
        store = Store(args.tracking_uri)
        sources = Sources(grid=args.grid, freezing=args.freezing)
        path = publish(store, args.output.resolve(), sources)
    except (StoreError, OSError) as error:
        parser.error(str(error))
    for note in dict.fromkeys(store.notes):
        print(f"note: {note}")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
