"""What a launch has to say, as it says it: into its journal, from which MLflow is written."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measures.objective import flags_of
from tuning.tracking.journal import Entry, Journal
from tuning.tracking.mlflow_pages import champion_title

EPOCH_PREFIX = "epoch/"  # apart from the final scores, and a section of its own in the UI
STEP_PREFIX = "step/"  # the same for what is trained by steps
PARENT, CHAMPION = "launch", "champion"  # keys of runs; a trial's is stage/name
FIGURES = "figures"  # the folder with pictures among the files of a launch
SERVED = "served"  # the folder, among the champion's files, with the model that MLflow serves


@dataclass(kw_only=True, slots=True)
class RunRecord:
    """A run as the journal has it; ``metrics`` are the final ones, ``epochs`` the last epoch's.

    ``seen`` are the epochs that were recorded. ``status`` is RUNNING, FINISHED, FAILED or KILLED.
    """

    key: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float] = field(default_factory=dict)
    epochs: dict[str, float] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    status: str = "RUNNING"


class LaunchLog:
    """Records one launch: a parent run and a run for each trial; used by the driver alone.

    Whatever is recorded is on disk when a method returns; nothing here waits for MLflow.

    Args:
        journal: Of the launch; one with entries is gone on with.

    Raises:
        JournalError: By every method that records, if the disk is full or cannot be written.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.runs: dict[str, RunRecord] = {}
        self.kept: set[str] = set()  # files of the parent run
        for entry in journal.entries:
            self._take(entry)

    @property
    def open_launch(self) -> bool:
        """Return whether the launch was begun and did not come to its end."""
        return PARENT not in self.runs or self.runs[PARENT].status == "RUNNING"

    @property
    def launch(self) -> str:
        """Return what tells this launch from all others, wherever it is logged."""
        return str(self.journal.entries[0]["launch"])

    def _record(self, **entry: object) -> None:
        self.journal.append(entry)
        self._take(entry)

    def _take(self, entry: Entry) -> None:
        match entry:
            case {"do": "run", "run": key, "name": name, "params": params, "tags": tags}:
                self.runs[key] = RunRecord(key=key, name=name, params=params, tags=dict(tags))
            case {"do": "metrics", "run": key, "prefix": "", "values": values}:
                self.runs[key].metrics |= values
            case {"do": "metrics", "run": key, "prefix": "epoch/" | "step/", "step": step,
                  "values": values}:  # fmt: skip
                self.runs[key].epochs = values
                self.runs[key].seen.add(step)
            case {"do": "tags", "run": key, "values": values}:
                self.runs[key].tags |= values
            case {"do": "files", "run": "launch", "path": path, "to": to}:
                self.kept.add(f"{to}/{Path(path).name}")
            case {"do": "end", "run": key, "status": status}:
                self.runs[key].status = status

    def open(
        self,
        experiment: str,
        artifacts: Path,
        uri: str,
        identity: Mapping[str, Any],
        note: str = "",
    ) -> None:
        """Record what the launch is a launch of, as its first entry.

        Args:
            experiment: Name of the MLflow experiment.
            artifacts: Where a new experiment keeps its files if the store is a local database.
            uri: Of the store, without a password.
            identity: What must be the same when it is resumed, as JSON values.
            note: What the page of the experiment says, unless it says something.
        """
        targets = {"experiment": experiment, "artifacts": str(artifacts), "uri": uri}
        launch = uuid.uuid4().hex
        self._record(do="open", launch=launch, **targets, note=note, identity=dict(identity))

    def start_parent(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        kind: str = "experiment",
    ) -> None:
        """Open the parent run; its parameters are the experiment's, without the trials'."""
        self._start(PARENT, name, params, {**tags, "kind": kind})

    def start_trial(
        self,
        key: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
        title: str = "",
    ) -> None:
        """Open the run of a trial, once, with every field of its configuration.

        Args:
            key: Of the run.
            name: Of the trial, as a folder.
            params: Its configuration.
            tags: Of the run.
            title: What people call it; its name if there is none.
        """
        if key not in self.runs:
            self._start(key, name, params, {**(tags or {}), "kind": "trial"}, title)

    def _start(
        self,
        key: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        title: str = "",
    ) -> None:
        texts = {field: str(value) for field, value in params.items()}
        own = {"params": texts, "tags": {**tags, "trial": name}}
        self._record(do="run", run=key, name=name, title=title or name, **own)

    def log_epoch(self, key: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of an epoch, once, under ``epoch/``."""
        if epoch not in self.runs[key].seen:
            self._metrics(key, metrics, EPOCH_PREFIX, epoch)

    def log_step(self, key: str, step: int, metrics: Mapping[str, float]) -> None:
        """Record metrics at an optimizer step, once, under ``step/``."""
        if step not in self.runs[key].seen:
            self._metrics(key, metrics, STEP_PREFIX, step)

    def _metrics(self, key: str, metrics: Mapping[str, float], prefix: str, step: int) -> None:
        values = {name: float(value) for name, value in metrics.items()}
        self._record(do="metrics", run=key, prefix=prefix, step=step, values=values)

    def log_outcome(self, key: str, metrics: Mapping[str, float], folder: Path | None) -> None:
        """Record every file in ``folder`` as an artifact of a trial, then its final metrics.

        A run with final metrics has everything, and is not told it again.
        """
        known = self.runs[key].metrics
        if known and all(known.get(n) == v for n, v in metrics.items() if n != "seconds"):
            return
        if folder is not None:
            self._files(key, folder, "")
        self.tag(key, {"flags": ", ".join(flags_of(metrics)) or "none"})
        self._metrics(key, metrics, "", 0)

    def _files(self, key: str, path: Path, to: str) -> None:
        inside = path.absolute().relative_to(self.journal.folder)  # it may be moved as a whole
        self._record(do="files", run=key, path=str(inside), to=to)

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self._record(do="tags", run=key, values=dict(tags))

    def end_trial(self, key: str, *, cause: str | None = None) -> None:
        """Close a trial's run: finished, or failed with its cause as a tag."""
        if cause is not None:
            self.tag(key, {"cause": cause[:5000]})
        self._end(key, "FINISHED" if cause is None else "FAILED")

    def _end(self, key: str, status: str) -> None:
        self._record(do="end", run=key, status=status)

    def children(self, stage: str) -> list[RunRecord]:
        """Return the trials of a stage, in the order in which they were begun."""
        return [run for run in self.runs.values() if run.tags.get("stage") == stage]

    def settle(self, key: str, metrics: Mapping[str, float]) -> None:
        """Finish a run that a crash left open, with its final metrics if they are missing."""
        if not self.runs[key].metrics:
            self._metrics(key, metrics, "", 0)
        self._end(key, "FINISHED")

    def close_interrupted(self, key: str, cause: str) -> None:
        """Close a run that was cut off and has no result."""
        self.tag(key, {"cause": cause})
        self._end(key, "KILLED")

    def log_champion(
        self, params: Mapping[str, Any], metrics: Mapping[str, float], folder: Path
    ) -> None:
        """Record the champion in a run of its own: its scores, its seeds' models, its tables.

        The parent run gets the same scores under ``champion/``; the model registry a version
        with the alias ``champion``.
        """
        if CHAMPION not in self.runs:
            self._start(CHAMPION, CHAMPION, params, {"kind": "champion"}, champion_title(params))
        if self.runs[CHAMPION].status == "FINISHED":
            return
        self._files(CHAMPION, folder, "")
        self._metrics(CHAMPION, metrics, "", 0)
        self._metrics(PARENT, metrics, "champion/", 0)
        self._record(do="register", run=CHAMPION)
        self._end(CHAMPION, "FINISHED")

    def keep(self, path: Path, to: str) -> None:
        """Keep a file that all trials share as an artifact of the parent run, once."""
        if f"{to}/{path.name}" not in self.kept:
            self._files(PARENT, path, to)

    def end_parent(self, *, failed: int, summary: Mapping[str, float]) -> None:
        """Close the parent run with the best trial's scores."""
        self._metrics(PARENT, summary, "best/", 0)
        self._end(PARENT, "FAILED" if failed else "FINISHED")

    def give_up(self, cause: str) -> None:
        """Close what is open of a launch that was interrupted and will not be resumed."""
        for run in list(self.runs.values()):
            if run.status == "RUNNING":
                self.close_interrupted(run.key, cause)
