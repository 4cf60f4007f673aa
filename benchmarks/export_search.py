"""Export a search from the log as CSV: python benchmarks/export_search.py [--experiment NAME]."""

import argparse
import sys
from pathlib import Path

import pandas as pd
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("search", "confirm", "ablation")


def main() -> int:
    """Return 0 when the files are written, 2 if the log has no such search."""
    parser = argparse.ArgumentParser(description="Export a search from the log as CSV files.")
    parser.add_argument("--experiment", default="bonus_f1", help="name of the search")
    parser.add_argument("--tracking-uri", default=f"sqlite:///{ROOT / 'mlflow.db'}")
    parser.add_argument("--output", type=Path, help="folder; default benchmarks/NAME")
    args = parser.parse_args()
    output = args.output or ROOT / "benchmarks" / args.experiment
    client = MlflowClient(tracking_uri=args.tracking_uri)
    experiment = client.get_experiment_by_name(args.experiment)
    query = "tags.kind = 'champion'"
    champions = client.search_runs([experiment.experiment_id], query) if experiment else []
    if experiment is None or not champions:
        parser.error(f"{args.experiment}: the log has no finished search of that name")
    parent = champions[0].data.tags["mlflow.parentRunId"]
    output.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        query = f"tags.stage = '{stage}' and tags.`mlflow.parentRunId` = '{parent}'"
        runs = client.search_runs([experiment.experiment_id], query, max_results=1000)
        rows = [
            {
                "name": run.info.run_name,
                "status": run.info.status,
                "stopped": run.data.tags.get("stopped", ""),
                "flags": run.data.tags.get("flags", ""),
                **run.data.params,
                **{name: value for name, value in run.data.metrics.items() if "/" not in name},
            }
            for run in runs
        ]
        if rows:
            frame = pd.DataFrame(rows).sort_values("name")
            frame.to_csv(output / f"{stage}.csv", index=False, float_format="%.6f")
    for name in ("scores", "difference", "ablations"):
        client.download_artifacts(champions[0].info.run_id, f"{name}.csv", str(output))
    metrics = pd.Series(champions[0].data.metrics).sort_index().rename("value")
    metrics.to_csv(output / "champion.csv", index_label="metric", float_format="%.6f")
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
