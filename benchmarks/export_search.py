"""Export a search from MLflow as CSV: python benchmarks/export_search.py [--experiment NAME]."""

import argparse
import sys
from pathlib import Path

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from measures.addresses import check_readable, choose_store, store_uri, user_path

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("search", "race", "confirm", "ablation")


def main() -> int:
    """Return 0 when the files are written, 2 if the store has no such search."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Export a search from MLflow as CSV files."
    )
    parser.add_argument("--experiment", default="bonus_f1", help="name of the search")
    parser.add_argument("--tracking-uri", type=store_uri,
                        help="MLflow store; default: MLFLOW_TRACKING_URI, else the project's "
                        "mlflow.db")  # fmt: skip
    parser.add_argument("--output", type=user_path, help="folder; default benchmarks/NAME")
    args = parser.parse_args()
    output = args.output or ROOT / "benchmarks" / args.experiment
    store = choose_store(args.tracking_uri)
    check_readable(store)
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name(args.experiment)
    query = "tags.kind = 'champion'"
    champions = client.search_runs([experiment.experiment_id], query) if experiment else []
    if not champions:
        parser.error(f"{args.experiment}: the store has no finished search of that name")
    output.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        export_stage(client, champions[0], stage, output)
    for name in ("scores", "difference", "ablations"):
        client.download_artifacts(champions[0].info.run_id, f"{name}.csv", str(output))
    metrics = pd.Series(champions[0].data.metrics).sort_index().rename("value")
    metrics.to_csv(output / "champion.csv", index_label="metric", float_format="%.6f")
    print(output)
    return 0


def export_stage(client: MlflowClient, champion: Run, stage: str, folder: Path) -> None:
    """Write the trials of one stage of a champion's search to STAGE.csv, if there are any."""
    parent = champion.data.tags["mlflow.parentRunId"]
    query = f"tags.stage = '{stage}' and tags.`mlflow.parentRunId` = '{parent}'"
    runs = client.search_runs([champion.info.experiment_id], query, max_results=1000)
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
        frame.to_csv(folder / f"{stage}.csv", index=False, float_format="%.6f")


if __name__ == "__main__":
    sys.exit(main())
