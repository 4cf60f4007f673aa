"""Run the commands as a user does: in a process of their own, from another folder."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.options import ROOT

Ended = subprocess.CompletedProcess[str]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run of the smoke experiment left behind."""

    folder: Path
    store: str
    ended: Ended

    def trials(self, experiment: str = "smoke") -> list[Run]:
        client = MlflowClient(tracking_uri=self.store)
        found = client.get_experiment_by_name(experiment)
        assert found is not None
        runs = client.search_runs([found.experiment_id], "tags.kind = 'trial'")
        return sorted(runs, key=lambda run: run.info.run_name or "")


def command(script: str, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "tuning" / script), *words]


def run_smoke(folder: Path, *words: str) -> Ran:
    """Run the smoke experiment from a folder that is not the project's."""
    store = f"sqlite:///{folder / 'log.db'}"
    smoke = str(ROOT / "experiments/smoke.yaml")
    places = ["--output", str(folder / "out"), "--tracking-uri", store, "--set", "epochs=8"]
    ended = subprocess.run(
        command("run_grid.py", smoke, *places, *words),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return Ran(folder=folder, store=store, ended=ended)


def reproduce(ran: Ran, *words: str) -> Ended:
    words = (*words, "--tracking-uri", ran.store)
    return subprocess.run(
        command("reproduce.py", *words), capture_output=True, text=True, check=False
    )
