"""Pack report, code and saved models: python analysis/make_submission.py NAME [NAME ...]"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Return 0 when the archive is written, 2 if something that goes into it is missing."""
    parser = argparse.ArgumentParser(description="Pack report, code and saved models.")
    parser.add_argument("members", nargs="*", help="who hands in: Name1 Name2 ...")
    parser.add_argument("--tracking-uri", default=f"sqlite:///{ROOT / 'mlflow.db'}")
    parser.add_argument("--report", type=Path, default=ROOT / "report/Report.pdf")
    parser.add_argument("--experiments", nargs="+", default=["grid", "freezing"])
    args = parser.parse_args()

    from analysis.load_runs import Store, StoreError  # heavy: not for --help
    from analysis.submission import pack

    try:
        store = Store(args.tracking_uri)
        path = pack(store, args.experiments, args.members, ROOT, args.report.resolve())
    except (StoreError, OSError) as error:
        parser.error(str(error))
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
