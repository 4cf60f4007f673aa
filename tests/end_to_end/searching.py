"""Run a small search as a user does, and read what it leaves behind."""

import json
import subprocess
from pathlib import Path

import optuna
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.empty_store import put_store
from tests.end_to_end.running import Ended, command, few_pairs, quick
from tuning.search.study import open_storage
from tuning.system.project import ROOT

SMOKE = str(ROOT / "experiments/smoke_search.yaml")


def words_for(folder: Path, *words: str, quickly: bool = False) -> list[str]:
    """Return the command; a quick search has a small encoder, whose scores nobody should read."""
    inputs = quick(folder) if quickly else ["--data", str(few_pairs(folder))]
    store = put_store(folder / "log.db")
    places = ["--output", str(folder / "out"), "--tracking-uri", store, *inputs]
    return command("run_search.py", SMOKE, *places, "--set", "batch_size=16", *words)


def search(folder: Path, *words: str, quickly: bool = False) -> Ended:
    return subprocess.run(
        words_for(folder, *words, quickly=quickly),
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip


def study_of(folder: Path) -> optuna.Study:
    storage = f"sqlite:///{folder / 'out/optuna.db'}"
    return optuna.load_study(study_name="smoke_search", storage=open_storage(storage))


def runs_of(store: str, query: str) -> list[Run]:
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("smoke_search")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], query))


def tune_results(folder: Path) -> dict[int, float]:
    """Return what Tune's files say of each trial that left results: its objective by number."""
    found = {}
    for path in folder.glob("out/smoke_search-*/search/*/checkpoint_*/result.json"):
        found[int(path.parts[-3])] = json.loads(path.read_bytes())["objective"]
    return found
