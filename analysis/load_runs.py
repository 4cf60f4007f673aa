"""The only reader of MLflow: launches, their trials, and the files the trials left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException

from analysis.run_rows import METRICS, SEARCHED, missing_columns, trial_row
from analysis.stores import StoreError, open_store
from measures.passwords import first_line, hide_passwords

PARENT_TAG = "mlflow.parentRunId"
_KINDS = ("experiment", "trial", "champion")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One launch of an experiment.

    ``trials`` has a row for each finished trial: ``run_id``, ``name``, every parameter (numbers
    as numbers) and every final metric; ``failed`` names the others. ``tags`` and ``params`` are
    those of the parent run.
    """

    experiment: str
    run_id: str
    tags: dict[str, str]
    params: dict[str, str]
    trials: pd.DataFrame
    failed: list[str]


class Store:
    """An MLflow store, read once; ``notes`` gathers what was left out, a sentence each.

    Args:
        uri: An MLflow tracking URI.

    Raises:
        StoreError: If there is no such store, or it cannot be read.
    """

    def __init__(self, uri: str) -> None:
        self.uri = hide_passwords(uri)
        self.notes: list[str] = []
        self.client, self._experiments = open_store(uri)

    def latest(self, experiment: str) -> Launch | None:
        """Return the newest launch with a finished trial, or the newest if none has one.

        None, with a note, if the store has no launch of that experiment.
        """
        found = next((e for e in self._experiments if e.name == experiment), None)
        if found is None:
            self.notes.append(f"The store has no experiment '{experiment}'.")
            return None
        runs = self._runs(found)
        parents = [run for run in runs if run.data.tags.get("kind") == "experiment"]
        foreign = [run for run in runs if run.data.tags.get("kind") not in _KINDS]
        if foreign:
            self.notes.append(
                f"{len(foreign)} runs of experiment '{experiment}' were logged by other code and "
                "are left out."
            )
        launches = []
        for parent in parents:
            launches.append(self._launch(found, parent, runs))
            if len(launches[-1].trials):
                return launches[-1]
            self.notes.append(
                f"Launch '{parent.info.run_name}' of experiment '{experiment}' has no finished "
                "trial and is left out."
            )
        if not launches:
            self.notes.append(f"Experiment '{experiment}' has no launch of this program.")
        return launches[0] if launches else None

    def names(self) -> list[str]:
        """Return the names of all experiments."""
        return [experiment.name for experiment in self._experiments]

    def search(self) -> Launch | None:
        """Return the newest Optuna search with a finished trial: its parent says ``search``."""
        for experiment in self._experiments:
            parents = self.client.search_runs(
                [experiment.experiment_id], "params.search = 'optuna'", max_results=1
            )
            if parents:
                return self.latest(experiment.name)
        return None

    def champion(self, launch: Launch) -> dict[str, pd.DataFrame]:
        """Return the tables of a search's champion: ``scores``, ``difference``, ``ablations``.

        Empty, with a note, if the search has no champion.
        """
        query = f"tags.kind = 'champion' and tags.`{PARENT_TAG}` = '{launch.run_id}'"
        (experiment,) = [e for e in self._experiments if e.name == launch.experiment]
        runs = self.client.search_runs([experiment.experiment_id], query, max_results=1)
        if not runs:
            self.notes.append(f"The search '{launch.experiment}' has no champion yet.")
            return {}
        tables = {}
        for name in ("scores", "difference", "ablations"):
            with self._artifact(runs[0].info.run_id, f"{name}.csv") as path:
                if path.stat().st_size > 1:
                    tables[name] = pd.read_csv(path)
        return tables

    def _runs(self, experiment: Experiment) -> list[Run]:
        """Return all runs, newest first."""
        runs: list[Run] = []
        token = None
        while True:
            page = self.client.search_runs(
                [experiment.experiment_id],
                max_results=1000,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            runs += page
            token = page.token
            if not token:
                return runs

    def _launch(self, experiment: Experiment, parent: Run, runs: list[Run]) -> Launch:
        children = [
            run
            for run in runs
            if run.data.tags.get(PARENT_TAG) == parent.info.run_id
            and run.data.tags.get("stage", "search") == "search"
            and run.data.tags.get("kind") == "trial"
        ]
        wanted = METRICS if parent.data.params.get("search") is None else SEARCHED
        rows, failed = [], []
        for run in sorted(children, key=lambda run: _trial_of(run)):
            row = trial_row(run)
            missing = missing_columns(row, wanted)
            if run.info.status != "FINISHED":
                failed.append(str(run.info.run_name))
            elif missing:
                self.notes.append(
                    f"Trial '{run.info.run_name}' of '{experiment.name}' is left out: "
                    f"it lacks {', '.join(missing)}."
                )
            else:
                rows.append(row)
        if failed:
            self.notes.append(
                f"Of '{experiment.name}', {len(failed)} trials did not finish and are left out: "
                f"{', '.join(failed)}."
            )
        return Launch(
            experiment=experiment.name,
            run_id=parent.info.run_id,
            tags=dict(parent.data.tags),
            params=dict(parent.data.params),
            trials=pd.DataFrame(rows, columns=None if rows else ["run_id", "name"]),
            failed=failed,
        )

    def epochs(self, launch: Launch) -> pd.DataFrame:
        """Return a row for each trial and epoch: ``run_id``, ``epoch``, losses and val scores."""
        rows = []
        for run_id in launch.trials["run_id"]:
            for name in ("train_loss", "val_loss", "val_f1", "val_f1_at_threshold", "val_auc"):
                rows += [
                    {"run_id": run_id, "epoch": point.step, "metric": name, "value": point.value}
                    for point in self.client.get_metric_history(run_id, f"epoch/{name}")
                ]
        frame = pd.DataFrame(rows, columns=["run_id", "epoch", "metric", "value"])
        wide = frame.pivot_table(index=["run_id", "epoch"], columns="metric", values="value")
        return wide.reset_index().rename_axis(columns=None)

    def predictions(self, launch: Launch) -> pd.DataFrame:
        """Return all predictions: ``run_id``, ``split``, ``line``, ``group``, ``label``,
        ``probability``.
        """
        frames = []
        for run_id in launch.trials["run_id"]:
            with self._artifact(run_id, "predictions.csv") as path:
                types = {"group": str, "split": str}
                frame = pd.read_csv(path, dtype=types, keep_default_na=False)
            frames.append(frame.assign(run_id=run_id))
        return pd.concat(frames, ignore_index=True)

    def pairs(self, launch: Launch) -> pd.DataFrame:
        """Return the data set that the trials saw, a row a pair, with its word pieces."""
        with self._artifact(launch.run_id, "data/pairs.parquet") as path:
            return pd.read_parquet(path)

    def attention(self, run_id: str) -> list[dict[str, Any]]:
        """Return the attention maps of a trial's most confident errors."""
        with self._artifact(run_id, "attention.json") as path:
            return json.loads(path.read_bytes())

    def save_artifacts(self, run_id: str, name: str, folder: Path) -> Path:
        """Copy an artifact, a file or a folder, into ``folder`` and return where it is."""
        try:
            return Path(self.client.download_artifacts(run_id, name, str(folder)))
        except (MlflowException, OSError) as error:
            raise StoreError(
                f"{self.uri}: run {run_id} has no {name}: {first_line(error)}"
            ) from error

    @contextmanager
    def _artifact(self, run_id: str, name: str) -> Iterator[Path]:
        """Give an artifact's place in a temporary folder, for as long as the block lasts."""
        with TemporaryDirectory() as folder:
            yield self.save_artifacts(run_id, name, Path(folder))


def _trial_of(run: Run) -> str:
    """Return the name of a trial as a folder, which has its number in front."""
    return run.data.tags.get("trial") or run.info.run_name or ""
