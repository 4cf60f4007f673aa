"""The log of a launch: its runs, tags, metrics and files, recorded as entries of its journal."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measures.objective import VALIDATION_F1, flags_of
from measures.references import SAVED_AT
from tuning.system.storage_path import StoragePath
from tuning.tracking.journal import Entry, Journal
from tuning.tracking.mlflow_pages import SOURCE_TAGS, View, champion_title
from tuning.tracking.run_record import EARLIER_EPOCH_PREFIX, EPOCH_PREFIX, STEP_PREFIX, RunRecord

PARENT, CHAMPION = "launch", "champion"  # keys of runs; a trial's key is stage/name
FIGURES = "figures"  # folder of pictures among the files of a launch
SERVED = "served"  # folder of the model that MLflow serves, among the champion's files
_LONGEST_CAUSE = 5000  # characters of a failure's cause; MLflow limits the length of a tag


class LaunchLog:
    """Records one launch: a parent run and a run for each trial; used by the driver alone.

    Every entry is on disk when the method that records it returns; nothing here waits for MLflow.

    Args:
        journal: Journal of the launch; runs that it has already are continued.
        saved_at: Folder or URI that trials save in, for references to it; None for copies.

    Attributes:
        runs: Runs by their keys, in the order in which they were opened.
        kept: Files of the parent run that are recorded, as ``folder/name``.
        has_view: Whether the view of the launch's trials is recorded.

    Raises:
        JournalError: By every method that records, if the disk is full or cannot be written.
    """

    def __init__(self, journal: Journal, saved_at: StoragePath | None = None) -> None:
        self.journal, self._saved_at = journal, saved_at
        self.runs: dict[str, RunRecord] = {}
        self.kept: set[str] = set()
        self.has_view = False
        for entry in journal.entries:
            self._take(entry)
        # a resumed launch goes on with the names that it began with
        earlier = any(run.prefix == EARLIER_EPOCH_PREFIX for run in self.runs.values())
        self._epoch_prefix = EARLIER_EPOCH_PREFIX if earlier else EPOCH_PREFIX

    @property
    def open_launch(self) -> bool:
        """Return whether the launch has not ended."""
        return PARENT not in self.runs or self.runs[PARENT].status == "RUNNING"

    @property
    def launch(self) -> str:
        """Return the identifier of this launch, which no other launch in any store has."""
        return str(self.journal.entries[0]["launch"])

    def _record(self, **entry: object) -> None:
        self.journal.append(entry)
        self._take(entry)

    def _take(self, entry: Entry) -> None:
        match entry:
            case {"do": "run", "run": key}:
                self.runs[key] = RunRecord.started(entry)
            case {"do": "view"}:
                self.has_view = True
            case {"do": "files", "run": "launch", "path": path, "to": to}:
                self.kept.add(f"{to}/{Path(path).name}")
            case {"run": key}:
                self.runs[key].take(entry)

    def open(
        self,
        experiment: str,
        artifacts: Path,
        uri: str,
        identity: Mapping[str, Any],
        note: str = "",
    ) -> None:
        """Record the experiment and the identity of the launch, as the journal's first entry.

        Args:
            experiment: Name of the MLflow experiment.
            artifacts: Folder for the files of a new experiment in a local database.
            uri: URI of the store, without a password.
            identity: JSON values that must be the same when the launch is resumed.
            note: Description of the experiment on its page in MLflow, unless it has one.
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
        data_set: Mapping[str, str] | None = None,
    ) -> None:
        """Open the parent run; its parameters are those of the experiment, not of its trials.

        The trials' runs get its data set, and its tags that name the source.
        """
        self._start(RunRecord.new(PARENT, name, params, {**tags, "kind": kind}, data_set))

    def start_trial(
        self,
        key: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
        title: str = "",
    ) -> None:
        """Open the run of a trial, unless it is open, with every field of its configuration.

        Args:
            key: Key of the run.
            name: Name of the trial and of its folder.
            params: Configuration of the trial.
            tags: Tags of the run.
            title: Name of the run on MLflow's pages; empty for ``name``.
        """
        if key not in self.runs:
            self._start(RunRecord.new(key, name, params, {**(tags or {}), "kind": "trial"}), title)

    def _start(self, run: RunRecord, title: str = "") -> None:
        parent = self.runs.get(PARENT, run)
        source = {name: parent.tags[name] for name in SOURCE_TAGS if name in parent.tags}
        own = {"params": run.params, "tags": {**source, **run.tags, "trial": run.name}}
        names = {"run": run.key, "name": run.name, "title": title or run.name}
        self._record(do="run", **names, **own, data_set=parent.data_set)

    def keep_view(self, view: View) -> None:
        """Record how MLflow's page shows the trials of this launch, once."""
        if not self.has_view:
            name, state = self.runs[PARENT].name, view.state(self.launch)
            self._record(do="view", name=name, state=state)

    def log_epoch(
        self, key: str, epoch: int, metrics: Mapping[str, float], best: float | None = None
    ) -> None:
        """Record the metrics of an epoch, once, under ``while_training/``.

        ``best``, the best validation F1 so far, stands in for the final one until that is known.
        """
        if epoch not in self.runs[key].seen:
            so_far = {} if best is None else {VALIDATION_F1: float(best)}
            self._metrics(key, metrics, self._epoch_prefix, epoch, so_far=so_far)

    def log_step(self, key: str, step: int, metrics: Mapping[str, float]) -> None:
        """Record metrics at an optimizer step, once, under ``step/``."""
        if step not in self.runs[key].seen:
            self._metrics(key, metrics, STEP_PREFIX, step)

    def _metrics(
        self, key: str, metrics: Mapping[str, float], prefix: str, step: int, **more: object
    ) -> None:
        values = {name: float(value) for name, value in metrics.items()}
        self._record(do="metrics", run=key, prefix=prefix, step=step, values=values, **more)

    def log_outcome(self, key: str, metrics: Mapping[str, float], folder: Path | None) -> None:
        """Record what a trial saved in ``folder``, then its final metrics.

        Nothing is recorded if the run has the same final metrics; their time may differ.
        """
        known = self.runs[key].metrics
        compared = {name: value for name, value in metrics.items() if name != "seconds"}
        if known and all(known.get(name) == value for name, value in compared.items()):
            return
        if folder is not None:
            self._files(key, folder, "", self._saved_at)
        self.tag(key, {"flags": ", ".join(flags_of(metrics)) or "none"})
        self._metrics(key, metrics, "", 0)

    def _files(self, key: str, path: Path, to: str, saved_at: StoragePath | None = None) -> None:
        # relative, so that the launch's folder may be moved
        inside = path.absolute().relative_to(self.journal.folder).as_posix()
        if saved_at is None:
            self._record(do="files", run=key, path=inside, to=to)
        else:
            self.tag(key, {SAVED_AT: (saved_at / inside).uri})

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self._record(do="tags", run=key, values=dict(tags))

    def end_trial(self, key: str, *, cause: str | None = None) -> None:
        """Close a trial's run: finished, or failed with its cause as a tag."""
        if cause is not None:
            self.tag(key, {"cause": cause[:_LONGEST_CAUSE]})
        self._end(key, "FINISHED" if cause is None else "FAILED")

    def _end(self, key: str, status: str) -> None:
        self._record(do="end", run=key, status=status)

    def children(self, stage: str) -> list[RunRecord]:
        """Return the runs of a stage's trials, in the order in which they were opened."""
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
        """Record the champion in a run of its own, unless that is done.

        ``folder`` holds the models of its seeds and its tables. The parent run gets the same
        scores under ``champion/``, and the model registry a version with the alias ``champion``.
        """
        if CHAMPION not in self.runs:
            champion = RunRecord.new(CHAMPION, CHAMPION, params, {"kind": "champion"})
            self._start(champion, champion_title(params))
        if self.runs[CHAMPION].status == "FINISHED":
            return
        self._files(CHAMPION, folder, "")
        self._metrics(CHAMPION, metrics, "", 0)
        self._metrics(PARENT, metrics, "champion/", 0)
        self._record(do="register", run=CHAMPION)
        self._end(CHAMPION, "FINISHED")

    def keep(self, path: Path, to: str) -> None:
        """Record a file as an artifact of the parent run, in the folder ``to``, once."""
        if f"{to}/{path.name}" not in self.kept:
            self._files(PARENT, path, to)

    def end_parent(self, *, failed: int, summary: Mapping[str, float]) -> None:
        """Close the parent run with the best trial's scores; as failed if trials failed."""
        self._metrics(PARENT, summary, "best/", 0)
        self._end(PARENT, "FAILED" if failed else "FINISHED")

    def give_up(self, cause: str) -> None:
        """Close every open run of a launch that was interrupted and will not be resumed."""
        for run in list(self.runs.values()):
            if run.status == "RUNNING":
                self.close_interrupted(run.key, cause)
