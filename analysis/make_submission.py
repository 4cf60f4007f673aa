"""Pack report, code and models into a ZIP: python analysis/make_submission.py NAME [NAME ...]"""

import argparse
import sys
from pathlib import Path

from measures.addresses import choose_store, store_uri, user_path
from measures.command_line import run_command

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Return 0 when the archive is written, 2 if something that goes into it is missing."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Pack report, code and saved models."
    )
    parser.add_argument("members", nargs="*", help="names of the group's members: Name1 Name2 ...")
    parser.add_argument("--tracking-uri", type=store_uri,
                        help="MLflow store; default: MLFLOW_TRACKING_URI, else the project's "
                        "mlflow.db")  # fmt: skip
    parser.add_argument("--report", type=user_path, default=ROOT / "report/Report.pdf",
                        help="the PDF; the archive is written beside it; default: "
                        "report/Report.pdf of the project")  # fmt: skip
    parser.add_argument("--experiments", nargs="+", default=["grid", "freezing"],
                        help="MLflow experiments whose newest launches go in; default: grid "
                        "freezing")  # fmt: skip
    args = parser.parse_args()

    from analysis.load_runs import Store, StoreError  # imported here to keep --help fast
    from analysis.submission import pack

    try:
        store = Store(choose_store(args.tracking_uri))
        path = pack(store, args.experiments, args.members, ROOT, args.report.resolve())
    except (StoreError, OSError) as error:
        parser.error(str(error))
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
