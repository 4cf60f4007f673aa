"""Reader of launches, of their trials, and of the files that trials saved, in an MLflow store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from mlflow.entities import Experiment, Metric, Run
from mlflow.exceptions import MlflowException

from analysis.run_rows import METRICS, SEARCHED, missing_columns, trial_row
from analysis.stores import StoreError, describe_absent, fetch_artifact, open_store
from measures.passwords import first_line, hide_passwords

PARENT_TAG = "mlflow.parentRunId"
_TABLES = ("scores", "difference", "ablations")  # of a champion
_ADDED_TABLES = ("rounds", "ensemble")  # earlier versions do not log them
_KINDS = ("experiment", "trial", "champion")
_CURVES = ("train_loss", "val_loss", "val_target_loss", "val_f1", "val_f1_at_threshold", "val_auc")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One launch of an experiment: its parent run and its trials.

    ``trials`` has one row per finished trial, in the order of the trials' numbers: ``run_id``,
    ``name``, every parameter (numbers as numbers) and every final metric. ``failed`` lists the
    names of the other trials. ``run_id``, ``tags`` and ``params`` are those of the parent run.
    """

    experiment: str
    run_id: str
    tags: dict[str, str]
    params: dict[str, str]
    trials: pd.DataFrame
    failed: list[str]


class Store:
    """An MLflow store, open for reading; ``notes`` lists what was left out, a sentence each.

    Args:
        uri: MLflow tracking URI.

    Raises:
        StoreError: If the store does not exist or cannot be read.
    """

    def __init__(self, uri: str) -> None:
        self.uri = hide_passwords(uri)
        self.notes: list[str] = []
        self.client, experiments = open_store(uri)
        self._experiments = {experiment.name: experiment for experiment in experiments}

    def names(self) -> list[str]:
        """Return the names of all experiments."""
        return list(self._experiments)

    def latest(self, name: str) -> Launch | None:
        """Return an experiment's newest launch with a finished trial, else its newest launch.

        None, with a note, if the store has no launch of that experiment.
        """
        experiment = self._experiments.get(name)
        if experiment is None:
            self.notes.append(describe_absent(self.client, name, self.uri))
            return None
        runs = self._runs(experiment)
        parents = [run for run in runs if run.data.tags.get("kind") == "experiment"]
        foreign = [run for run in runs if run.data.tags.get("kind") not in _KINDS]
        if foreign:
            self.notes.append(
                f"Experiment '{name}': runs that other code logged are left out ({len(foreign)})."
            )
        launches = []
        for parent in parents:
            launches.append(self._launch(experiment, parent, runs))
            if len(launches[-1].trials):
                return launches[-1]
            self.notes.append(
                f"Launch '{parent.info.run_name}' of experiment '{name}' has no finished trial: "
                "none of its scores are shown."
            )
        if not launches:
            self.notes.append(f"Experiment '{name}' has no launch of this program.")
        return launches[0] if launches else None

    def search(self) -> Launch | None:
        """Return the newest launch of an Optuna search with a finished trial; None without one.

        The parent run of a search has the parameter ``search`` with the value ``optuna``.
        """
        for experiment in self._experiments.values():
            parents = self.client.search_runs(
                [experiment.experiment_id], "params.search = 'optuna'", max_results=1
            )
            launch = self.latest(experiment.name) if parents else None
            if launch is not None and len(launch.trials):
                return launch
        return None

    def champion(self, launch: Launch) -> dict[str, pd.DataFrame]:
        """Return the tables of a search's champion: those of ``_TABLES`` and ``_ADDED_TABLES``.

        A table without rows, or that an earlier version did not log, is left out; without a
        champion there are none, and a note.
        """
        experiment = self._experiments[launch.experiment]
        query = f"tags.kind = 'champion' and tags.`{PARENT_TAG}` = '{launch.run_id}'"
        runs = self.client.search_runs([experiment.experiment_id], query, max_results=1)
        if not runs:
            self.notes.append(f"The search '{launch.experiment}' has no champion yet.")
            return {}
        tables = {}
        for name in (*_TABLES, *_ADDED_TABLES):
            absent = [StoreError] if name in _ADDED_TABLES else []
            with suppress(*absent), self._artifact(runs[0].info.run_id, f"{name}.csv") as path:
                if path.stat().st_size > 1:
                    tables[name] = pd.read_csv(path)
        return tables

    def epochs(self, launch: Launch) -> pd.DataFrame:
        """Return one row per trial and epoch: ``run_id``, ``epoch``, losses, validation scores."""
        rows = []
        for run_id in launch.trials["run_id"]:
            for name in _CURVES:
                rows += [
                    {"run_id": run_id, "epoch": point.step, "metric": name, "value": point.value}
                    for point in self._curve(run_id, name)
                ]
        frame = pd.DataFrame(rows, columns=["run_id", "epoch", "metric", "value"])
        wide = frame.pivot_table(index=["run_id", "epoch"], columns="metric", values="value")
        return wide.reset_index().rename_axis(columns=None)

    def _curve(self, run_id: str, name: str) -> list[Metric]:
        """Return the values of a metric of the epochs, under either name that it may have."""
        found = self.client.get_metric_history(run_id, f"while_training/{name}")
        return found or self.client.get_metric_history(run_id, f"epoch/{name}")

    def predictions(self, launch: Launch) -> pd.DataFrame:
        """Return the predictions of all trials, one row per trial and pair.

        The columns are ``run_id``, ``split``, ``line`` (of the data file), ``group``, ``label``
        and ``probability`` (of a paraphrase).
        """
        frames = []
        for run_id in launch.trials["run_id"]:
            with self._artifact(run_id, "predictions.csv") as path:
                types = {"group": str, "split": str}
                frame = pd.read_csv(path, dtype=types, keep_default_na=False)
            frames.append(frame.assign(run_id=run_id))
        return pd.concat(frames, ignore_index=True)

    def pairs(self, launch: Launch) -> pd.DataFrame:
        """Return the data set that the trials used: one row per pair, with its word pieces."""
        with self._artifact(launch.run_id, "data/pairs.parquet") as path:
            return pd.read_parquet(path)

    def attention(self, run_id: str) -> list[dict[str, Any]]:
        """Return the attention maps of a trial's most confident errors on test."""
        with self._artifact(run_id, "attention.json") as path:
            return json.loads(path.read_bytes())

    def save_artifacts(self, run_id: str, name: str, folder: Path) -> Path:
        """Copy an artifact, a file or a folder, into ``folder`` and return the path of the copy.

        Raises:
            StoreError: If the run has no such artifact, or it cannot be read.
        """
        try:
            return fetch_artifact(self.client, run_id, name, folder)
        except (MlflowException, OSError) as error:
            raise StoreError(
                f"{self.uri}: run {run_id} has no {name}: {first_line(error)}"
            ) from error

    @contextmanager
    def _artifact(self, run_id: str, name: str) -> Iterator[Path]:
        """Yield the path of an artifact in a temporary folder, removed at the end of the block."""
        with TemporaryDirectory() as folder:
            yield self.save_artifacts(run_id, name, Path(folder))

    def _runs(self, experiment: Experiment) -> list[Run]:
        """Return all runs of an experiment, newest first."""
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
        """Return the launch of a parent run; trials without the needed columns get a note."""
        wanted = METRICS if parent.data.params.get("search") is None else SEARCHED
        children = sorted(_trials_of(parent, runs), key=_folder_name)
        rows, failed = [], []
        for run in children:
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
                f"Experiment '{experiment.name}': {len(failed)} of {len(children)} trials did not "
                f"finish; left out: {', '.join(failed)}."
            )
        return Launch(
            experiment=experiment.name,
            run_id=parent.info.run_id,
            tags=dict(parent.data.tags),
            params=dict(parent.data.params),
            trials=pd.DataFrame(rows, columns=None if rows else ["run_id", "name"]),
            failed=failed,
        )


def _trials_of(parent: Run, runs: list[Run]) -> list[Run]:
    """Return the trials of a launch; of a search those it drew, not the confirmations."""
    return [
        run
        for run in runs
        if run.data.tags.get(PARENT_TAG) == parent.info.run_id
        and run.data.tags.get("stage", "search") == "search"
        and run.data.tags.get("kind") == "trial"
    ]


def _folder_name(run: Run) -> str:
    """Return the name of a trial's folder, which begins with the trial's number."""
    return run.data.tags.get("trial") or run.info.run_name or ""
