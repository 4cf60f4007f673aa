"""Export a launch from MLflow as a record: python benchmarks/export_launch.py NAME --experiment X.

Run it on the machine that ran the launch: the store knows its commit, versions and date, but not
its processor. The record has a row for each trial of every stage, and, of a search, its champion.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from analysis.stores import fetch_artifact
from benchmarks.records import PACKAGES, RESULTS, describe_machine, without_places, write_record
from measures.addresses import check_readable, choose_store, store_uri
from measures.objective import SEED_MEAN, VALIDATION_F1

METRICS = (
    SEED_MEAN, VALIDATION_F1, "val_auc", "val_loss", "test_auc", "test_accuracy", "test_f1",
    "test_precision", "test_recall", "test_accuracy_at_threshold", "test_f1_at_threshold",
    "test_precision_at_threshold", "test_recall_at_threshold", "threshold", "best_epoch",
    "seconds",
)  # fmt: skip
VERSIONS = ("python", *PACKAGES)
SOURCES = ("data", "data_fingerprint", "encoder", "encoder_fingerprint", "notices")
TABLES = ("scores", "difference", "ablations")  # CSV files of a champion
_PARENT = "mlflow.parentRunId"


class ExportError(ValueError):
    """A launch that the store does not have."""


def find_launch(client: MlflowClient, experiment: str, launch: str | None) -> Run:
    """Return the parent run of a launch: the newest finished one, or the one of that name.

    Raises:
        ExportError: If there is none.
    """
    found = client.get_experiment_by_name(experiment)
    query = "tags.kind = 'experiment'"
    query += f" and attributes.run_name = '{launch}'" if launch else " and status = 'FINISHED'"
    ids = [found.experiment_id] if found else []
    runs = client.search_runs(ids, query, order_by=["start_time DESC"]) if ids else []
    if not runs:
        name = f"launch {launch!r}" if launch else "finished launch"
        raise ExportError(f"{experiment}: the store has no {name} of that experiment")
    return runs[0]


def export(client: MlflowClient, parent: Run) -> dict[str, Any]:
    """Return the record of a launch: ``commit``, ``command``, ``machine`` and ``numbers``."""
    tags, began = parent.data.tags, parent.info.start_time
    runs = client.search_runs([parent.info.experiment_id],
                              f"tags.`{_PARENT}` = '{parent.info.run_id}'",
                              order_by=["start_time ASC"], max_results=10000)  # fmt: skip
    trials = [run for run in runs if run.data.tags.get("kind") == "trial"]
    champions = [run for run in runs if run.data.tags.get("kind") == "champion"]
    fixed, rows = _rows(trials)
    numbers = {
        **{name: tags[name] for name in SOURCES if name in tags},
        "launch": parent.info.run_name,
        "seconds": ((parent.info.end_time or began) - began) / 1000,
        "ranked_by": trials[0].data.tags.get("objective", "f1") if trials else "f1",
        "fixed": fixed,
        "stages": _stages(trials, began),
        "trials": rows,
        **({"champion": _champion(client, champions[0])} if champions else {}),
    }
    machine = describe_machine() | {name: tags[f"{name}_version"] for name in VERSIONS}
    machine["date"] = datetime.fromtimestamp(began / 1000, UTC).date().isoformat()
    return {
        "commit": tags["git_commit"],
        "command": without_places(tags.get("command", "")),
        "machine": machine,
        "numbers": numbers,
    }


def _rows(trials: list[Run]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the parameters that all trials share, and a row for each trial with the others."""
    names = {name for run in trials for name in run.data.params}
    values = {name: {run.data.params.get(name, "") for run in trials} for name in sorted(names)}
    fixed = {name: next(iter(found)) for name, found in values.items() if len(found) == 1}
    rows = []
    for run in trials:
        tags, params, metrics = run.data.tags, run.data.params, run.data.metrics
        kept = {"stopped": tags["stopped"]} if "stopped" in tags else {}
        if run.info.status != "FINISHED":
            kept["status"] = run.info.status
        rows.append(
            {
                "name": tags.get("trial", run.info.run_name),
                "stage": tags.get("stage", "search"),
                "flags": tags.get("flags", "none").replace("none", ""),
                **kept,
                **{name: params[name] for name in values if name in params and name not in fixed},
                **{name: _short(metrics[name]) for name in METRICS if name in metrics},
            }
        )
    return fixed, rows


def _stages(trials: list[Run], began: int) -> dict[str, dict[str, float]]:
    """Return of each stage the number of trials, and the seconds from the launch to its end."""
    stages: dict[str, list[Run]] = {}
    for run in trials:
        stages.setdefault(run.data.tags.get("stage", "search"), []).append(run)
    return {
        stage: {
            "trials": len(runs),
            "until": (max(run.info.end_time or began for run in runs) - began) / 1000,
        }
        for stage, runs in stages.items()
    }


def _champion(client: MlflowClient, champion: Run) -> dict[str, Any]:
    """Return configuration, metrics and tables of a champion; a table without rows is absent."""
    found: dict[str, Any] = {
        "params": champion.data.params,
        "metrics": {name: _short(value) for name, value in sorted(champion.data.metrics.items())},
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in TABLES:
            path = fetch_artifact(client, champion.info.run_id, f"{name}.csv", Path(folder))
            if path.stat().st_size > 1:
                rows = pd.read_csv(path).to_dict("records")
                found[name] = [{str(k): _short(v) for k, v in row.items()} for row in rows]
    return found


def _short(value: object) -> object:
    """Return a number with six significant digits, None in place of NaN, else the value."""
    if not isinstance(value, float):
        return value
    return None if value != value else float(f"{value:.6g}")


def main() -> int:
    """Return 0 when the record is written, 2 if the store has no such launch."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Export a launch from MLflow as a record."
    )
    parser.add_argument("name", help="name of the record in benchmarks/results")
    parser.add_argument("--experiment", required=True, help="name of the experiment")
    parser.add_argument("--launch", help="name of the launch; default: the newest finished one")
    parser.add_argument("--tracking-uri", type=store_uri,
                        help="MLflow store; default: MLFLOW_TRACKING_URI, else the project's "
                        "mlflow.db")  # fmt: skip
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the record")
    args = parser.parse_args()
    store = choose_store(args.tracking_uri)
    try:
        check_readable(store)
        client = MlflowClient(tracking_uri=store)
        parent = find_launch(client, args.experiment, args.launch)
    except (ExportError, OSError) as error:
        parser.error(str(error))
    print(write_record(args.name, export(client, parent), args.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
