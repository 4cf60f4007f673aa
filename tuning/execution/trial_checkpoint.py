"""A trial's training under way: each epoch is on disk before it is reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ray import tune

from measures.objective import OBJECTIVE
from tuning.execution.trial_spec import TrialSpec
from tuning.system.atomic_files import DamagedError, DiskError, space_error, write_checksums
from tuning.system.checkpoint_file import FORMAT, load_state, save_state
from tuning.system.storage_path import StoragePath

STATES = "states"  # a folder in that of the launch


def state_file(folder: StoragePath, spec: TrialSpec) -> StoragePath:
    """Return the state file of a trial: named by all that the trial is given.

    Args:
        folder: Folder of the launch, where all machines reach it.
        spec: What the trial is given.
    """
    text = json.dumps({"format": FORMAT, **spec.to_point()}, sort_keys=True)
    return folder / STATES / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.state"


class Stateful(Protocol):
    """What can be saved and taken up again."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors, numbers, texts, and lists and mappings of them."""
        ...

    def load_state_dict(self, state: Any) -> None:  # noqa: ANN401 - as torch has it
        """Go on from there."""
        ...


class TrialCheckpoint:
    """Keeps where a trial stands, and goes on from there if it was begun before.

    A file that was altered counts as none: the trial starts from its first epoch.

    Args:
        path: From ``state_file``.
        parts: All that the next epoch depends on, by name; given their states if there are any.
    """

    def __init__(self, path: StoragePath, parts: Mapping[str, Stateful]) -> None:
        self.path = path
        self.parts = parts
        self.epochs: list[dict[str, Any]] = []
        try:
            found = load_state(path)
        except DamagedError:  # the driver tells of it
            found = None
        if found is not None:
            state, self.epochs = found
            for name, part in parts.items():
                part.load_state_dict(state[name])

    @property
    def seconds(self) -> float:
        """Return how long the epochs took that were run before this process."""
        return sum(epoch["seconds"] for epoch in self.epochs)

    def report(self, metrics: dict[str, Any]) -> None:
        """Keep where the trial stands, then tell Ray of its epoch.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        self.epochs.append(metrics)
        state = {name: part.state_dict() for name, part in self.parts.items()}
        save_state(self.path, state, self.epochs)
        tune.report(metrics)

    @staticmethod
    def finish(objective: float, folder: Path) -> None:
        """Seal what the trial saved in a folder, and tell Ray of it, which keeps it.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        write_checksums(folder)
        checkpoint = tune.Checkpoint.from_directory(folder)
        try:
            tune.report({OBJECTIVE: objective, "finished": True}, checkpoint=checkpoint)
        except OSError as error:
            size = sum(file.stat().st_size for file in folder.rglob("*"))
            trial_folder = Path(tune.get_context().get_trial_dir())
            raise DiskError(space_error(trial_folder / "checkpoint", size, error)) from error
