"""The folder of a launch: its settings, its name, and the lock that keeps other programs out."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from time import localtime, strftime

from filelock import FileLock, Timeout

from measures.addresses import project_store
from measures.passwords import hide_passwords
from tuning.system.atomic_files import remove_leftovers
from tuning.system.project import ROOT, git_commit
from tuning.system.storage_path import StoragePath

_LOCK = "running.lock"
_MOST_NAMESAKES = 999  # launches of one experiment in the same second


class LaunchError(OSError):
    """A launch that cannot be started or resumed; the message names it and the choices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchOptions:
    """The options of the command line that a launch needs; every path is absolute.

    At most one of ``resume``, ``launch`` and ``overwrite`` is given.

    Attributes:
        output: Folder on the driver's machine that holds the folders of launches.
        shared_output: Folder or URI where trials on all machines write; may be ``output``.
        tracking_uri: URI of the MLflow store.
        artifacts: Folder of MLflow's artifacts where the store is a local database.
        cache: Folder of downloads, and of what was measured on this machine.
        study_storage: URL of Optuna's database.
        address: Address of the Ray cluster to join; None starts Ray on this machine.
        resume: Whether to resume the last interrupted launch.
        launch: Name of the launch to resume.
        overwrite: Whether to leave interrupted launches as they are and start another.
        join: Whether to draw for a search that another driver runs.
        by_reference: Whether the log gets the place of what trials save, and no copy of it.
        started: When the command was started, on the clock of ``time.monotonic``.
    """

    output: Path
    shared_output: StoragePath
    tracking_uri: str
    artifacts: Path
    cache: Path
    study_storage: str = ""
    address: str | None = None
    resume: bool = False
    launch: str | None = None
    overwrite: bool = False
    join: bool = False
    by_reference: bool = False
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchSettings:
    """The locations that one launch writes to and runs on; every path is absolute.

    Attributes:
        run_name: Name of the launch and of its folder.
        output: As in LaunchOptions.
        shared_output: As in LaunchOptions.
        tracking_uri: As in LaunchOptions.
        artifacts: As in LaunchOptions.
        cache: As in LaunchOptions.
        address: As in LaunchOptions.
        git_commit: Commit of the code.
        resumed: Whether the launch was started before.
        join: As in LaunchOptions.
        by_reference: As in LaunchOptions.
    """

    run_name: str
    output: Path
    shared_output: StoragePath
    tracking_uri: str
    artifacts: Path
    cache: Path
    address: str | None = None
    git_commit: str = "unknown"
    resumed: bool = False
    join: bool = False
    by_reference: bool = False

    @property
    def folder(self) -> Path:
        """Return the folder of this launch's results on the driver's machine."""
        return self.output / self.run_name

    @property
    def deliver_command(self) -> str:
        """Return the command that tells the store what it lacks, without a password."""
        places = ["--output", str(self.output)]
        places += ["--tracking-uri", hide_passwords(self.tracking_uri)]
        return shlex.join(["python", "-m", "tuning.tracking", "deliver", *places])

    @property
    def storage(self) -> StoragePath:
        """Return the folder or URI that this launch's trials write to."""
        return self.shared_output / self.run_name


def choose_artifacts(store: str, output: Path) -> Path:
    """Return the folder of MLflow's artifacts: beside the project's own store, else in ``output``.

    Args:
        store: URI of the MLflow store.
        output: Folder for results.
    """
    return (ROOT if store == project_store() else output) / "mlartifacts"


def make_settings(options: LaunchOptions, experiment: str, resumed: Path | None) -> LaunchSettings:
    """Make a new folder for a launch, unless one is resumed, and return the launch's settings.

    Args:
        options: Options of the command line.
        experiment: Name of the experiment.
        resumed: Folder of the launch that is resumed; None to start a new one.

    Raises:
        LaunchError: If the output folder cannot be written, or no free name for the new folder was
            found.
    """
    return LaunchSettings(
        run_name=(resumed or _new_folder(options.output, experiment)).name,
        output=options.output,
        shared_output=options.shared_output,
        tracking_uri=options.tracking_uri,
        artifacts=options.artifacts,
        cache=options.cache,
        address=options.address,
        git_commit=git_commit(),
        resumed=resumed is not None,
        join=options.join,
        by_reference=options.by_reference,
    )


def make_output(folder: Path) -> None:
    """Make the folder for results, unless it is there.

    Raises:
        LaunchError: If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise LaunchError(
            f"--output: {folder}: cannot be written: {reason}; name another folder"
        ) from error


def _new_folder(output: Path, experiment: str) -> Path:
    """Make a folder that no other launch has, not even one that starts in the same second."""
    name = run_name(experiment)
    make_output(output)
    for number in range(1, _MOST_NAMESAKES + 1):
        folder = output / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise LaunchError(f"{output / name}: {_MOST_NAMESAKES} launches began in one second")


def run_name(experiment: str) -> str:
    """Return the experiment's name with the local time, so that no run overwrites another."""
    return f"{experiment}-{strftime('%Y%m%d-%H%M%S', localtime())}"


@contextmanager
def lock_launch(folder: Path) -> Iterator[None]:
    """Keep other programs out of a launch's folder; the lock ends with the program that holds it.

    Files that a killed program left half written are removed.

    Raises:
        LaunchError: If another program holds the lock.
    """
    try:
        with FileLock(folder / _LOCK, timeout=0):
            remove_leftovers(folder)
            yield
    except Timeout as error:
        raise LaunchError(
            f"{folder}: another program is using this folder; wait until it ends"
        ) from error


def is_running(folder: Path) -> bool:
    """Return whether a program is using the launch's folder now."""
    try:
        with FileLock(folder / _LOCK, timeout=0):
            return False
    except Timeout:
        return True
