"""The checkpoint of a running trial: each epoch is on disk before it is reported to Ray."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ray import tune

from tuning.execution.trial_spec import TrialSpec
from tuning.system.atomic_files import DamagedError, DiskError, space_error, write_checksums
from tuning.system.checkpoint_file import FORMAT, load_state, save_state
from tuning.system.storage_path import StoragePath

REPORT = "report"  # what Ray passes on of an epoch without looking at it
STATES = "states"  # folder of state files, within the launch's


def state_file(folder: StoragePath, spec: TrialSpec) -> StoragePath:
    """Return the path of a trial's state file: its name is a hash of the trial's specification.

    Args:
        folder: Folder of the launch that all machines reach.
        spec: Specification of the trial.
    """
    text = json.dumps({"format": FORMAT, **spec.to_point()}, sort_keys=True)
    return folder / STATES / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.state"


def pack_report(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report of an epoch as Ray gets it: what trials are compared by, and the whole.

    Ray keeps statistics of every number that it is given by name. The whole is in a list, whose
    content it leaves alone.

    Args:
        metrics: Report of the epoch, by name.
    """
    scores = [name for name in metrics if name.startswith(("train_", "val_"))]
    compared = {name: metrics[name] for name in metrics.keys() - {*scores, "seconds", "best"}}
    return {**compared, REPORT: [dict(metrics)]}


class Stateful(Protocol):
    """An object whose state can be saved and restored, as a PyTorch module's."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state: tensors, numbers, texts, and lists and mappings of them."""
        ...

    def load_state_dict(self, state: Any) -> None:  # noqa: ANN401 - as torch has it
        """Restore what ``state_dict`` returned."""
        ...


class TrialCheckpoint:
    """Saves the state of a trial after each epoch, and restores it if the trial ran before.

    A damaged file counts as none: the trial then starts from its first epoch.

    Args:
        path: State file of the trial, from ``state_file``.
        parts: Objects that the next epoch depends on, by name; restored if the file exists.

    Attributes:
        epochs: Reports of all epochs so far, as JSON values.
    """

    def __init__(self, path: StoragePath, parts: Mapping[str, Stateful]) -> None:
        self.path = path
        self.parts = parts
        self.epochs: list[dict[str, Any]] = []
        try:
            found = load_state(path)
        except DamagedError:  # the driver reports it to the user
            found = None
        if found is not None:
            state, self.epochs = found
            for name, part in parts.items():
                part.load_state_dict(state[name])

    @property
    def seconds(self) -> float:
        """Return the seconds that all epochs so far took, those of earlier processes too."""
        return sum(epoch["seconds"] for epoch in self.epochs)

    def report(self, metrics: dict[str, Any]) -> None:
        """Save the state of the trial, then report its epoch to Ray.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        self.epochs.append(metrics)
        state = {name: part.state_dict() for name, part in self.parts.items()}
        save_state(self.path, state, self.epochs)
        tune.report(pack_report(metrics))

    @staticmethod
    def finish(values: Mapping[str, float], folder: Path) -> None:
        """Write checksums of the files in a folder, and report it to Ray as the trial's result.

        Args:
            values: What Ray compares trials by, by name.
            folder: Folder with everything that the trial saved; Ray copies it to its storage.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        write_checksums(folder)
        checkpoint = tune.Checkpoint.from_directory(folder)
        try:
            tune.report({**values, "finished": True}, checkpoint=checkpoint)
        except OSError as error:
            size = sum(file.stat().st_size for file in folder.rglob("*"))
            trial_folder = Path(tune.get_context().get_trial_dir())
            raise DiskError(space_error(trial_folder / "checkpoint", size, error)) from error
