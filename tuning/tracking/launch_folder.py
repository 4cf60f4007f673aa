"""A launch's folder: its name, where it lies, who is at work in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import localtime, strftime

from filelock import FileLock, Timeout

from tuning.system.project import ROOT, git_commit
from tuning.system.storage_path import StoragePath

_LOCK = "running.lock"


class LaunchError(OSError):
    """A launch that cannot be begun or gone on with; the message names it and the choices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchSettings:
    """Where a launch runs and writes; every path is absolute.

    ``output`` is the driver's own folder; in ``shared_output``, which may be the same, trials on
    all machines write. ``resumed`` says that the launch was begun before.
    """

    run_name: str
    output: Path
    shared_output: StoragePath
    tracking_uri: str
    artifacts: Path
    address: str | None = None
    git_commit: str = "unknown"
    resumed: bool = False

    @property
    def folder(self) -> Path:
        """Return the folder of this launch's results on the driver's machine."""
        return self.output / self.run_name

    @property
    def storage(self) -> StoragePath:
        """Return where its trials keep theirs."""
        return self.shared_output / self.run_name


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchOptions:
    """What the command line says of a launch: where it writes and runs, and whether it resumes.

    ``output``, ``shared_output``, ``tracking_uri`` and ``artifacts`` are as in LaunchSettings;
    ``own_store`` says that MLflow's store is the project's own, ``study_storage`` is the URL of
    Optuna's database. At most one of ``resume``, ``launch`` and ``overwrite`` is given.
    """

    output: Path
    shared_output: StoragePath
    tracking_uri: str
    artifacts: Path
    own_store: bool
    study_storage: str = ""
    address: str | None = None
    resume: bool = False
    launch: str | None = None
    overwrite: bool = False


def make_settings(options: LaunchOptions, experiment: str, resumed: Path | None) -> LaunchSettings:
    """Return where a launch writes: into a new folder of its own, or that of the resumed one."""
    return LaunchSettings(
        run_name=(resumed or _new_folder(options.output, experiment)).name,
        output=options.output,
        shared_output=options.shared_output,
        tracking_uri=options.tracking_uri,
        artifacts=options.artifacts,
        address=options.address,
        git_commit=git_commit(),
        resumed=resumed is not None,
    )


def is_running(folder: Path) -> bool:
    """Return whether a program is at work in the launch's folder."""
    try:
        with FileLock(folder / _LOCK, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def lock_launch(folder: Path) -> Iterator[None]:
    """Let no other program work in the launch's folder; a program that dies holds nothing.

    Raises:
        LaunchError: If one does.
    """
    try:
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout as error:
        raise LaunchError(f"{folder}: another program is at work there; wait for it") from error


def _new_folder(output: Path, experiment: str) -> Path:
    """Make a folder that no other launch has, not even one that starts in the same second."""
    name = run_name(experiment)
    output.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        folder = output / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise LaunchError(f"{output / name}: 999 launches began in one second")


def choose_store(given: str | None) -> str:
    """Return the URI of the MLflow store: the given one, else a SQLite file of the project."""
    return given or f"sqlite:///{ROOT / 'mlflow.db'}"


def choose_artifacts(given: str | None, output: Path) -> Path:
    """Return the folder of MLflow's artifacts: beside the project's store, else in ``output``."""
    return (ROOT if given is None else output) / "mlartifacts"


def run_name(experiment: str) -> str:
    """Return the experiment's name with the local time, so that no run overwrites another."""
    return f"{experiment}-{strftime('%Y%m%d-%H%M%S', localtime())}"
