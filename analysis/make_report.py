"""Build the report from the MLflow store: python analysis/make_report.py [--tracking-uri URI]"""

import argparse
import sys
from pathlib import Path

from measures.addresses import choose_store, store_uri, user_path
from measures.command_line import run_command

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Return 0 when the report is written, 2 if the store has nothing to report."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Turn the MLflow store into Report.pdf and index.html."
    )
    parser.add_argument("--tracking-uri", type=store_uri,
                        help="MLflow store; default: MLFLOW_TRACKING_URI, else the project's "
                        "mlflow.db")  # fmt: skip
    parser.add_argument("--output", type=user_path, default=ROOT / "report",
                        help="folder for the report, its figures and tables; "
                        "default: report of the project")  # fmt: skip
    parser.add_argument("--grid", default="grid",
                        help="MLflow experiment with the grid; default: %(default)s")  # fmt: skip
    parser.add_argument("--freezing", default="freezing",
                        help="MLflow experiment with seeds of each freezing mode; default: "
                        "%(default)s")  # fmt: skip
    parser.add_argument("--own", type=user_path, metavar="FILE",
                        help="YAML file with a person's own sentences on misclassified examples, "
                        "by line of the test file")  # fmt: skip
    args = parser.parse_args()

    from analysis.load_runs import Store, StoreError  # imported here to keep --help fast
    from analysis.report import Sources, publish

    try:
        store = Store(choose_store(args.tracking_uri))
        sources = Sources(grid=args.grid, freezing=args.freezing, own=args.own)
        path = publish(store, args.output.resolve(), sources, _tell)
    except PermissionError as error:
        parser.error(f"{error.filename}: {error.strerror}; --output names another folder")
    except (StoreError, OSError) as error:
        parser.error(str(error))
    for note in dict.fromkeys(store.notes):
        print(f"note: {note}")
    print(path)
    return 0


def _tell(part: str) -> None:
    """Say what a report of half a minute or more is at, beside its path on standard output."""
    print(f"report: {part} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
