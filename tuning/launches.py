"""The launches in an output folder: which of them was interrupted, and is it to go on."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from measures.passwords import hide_passwords
from tuning.journal import JOURNAL, Journal, JournalError
from tuning.launch_log import LaunchLog
from tuning.options import ROOT, git_commit, local_output, run_name, tracking_uri
from tuning.places import Place

_LOCK = "running.lock"


class LaunchError(OSError):
    """A launch that cannot be begun or gone on with; the message names it and the choices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Where a launch runs and writes; every path absolute. ``resumed``: it was begun before.

    ``output`` is the driver's own; in ``shared``, which may be the same, all machines keep what
    trials do.
    """

    run_name: str
    output: Path
    shared: Place
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
    def place(self) -> Place:
        """Return where its trials keep theirs."""
        return self.shared / self.run_name


def choose_launch(args: argparse.Namespace, experiment: str) -> Path | None:
    """Return the folder of the interrupted launch to go on with; None to begin one.

    Args:
        args: Of the command line: ``resume``, ``launch``, ``overwrite``, ``output``, ``local``.
        experiment: Its name.

    Raises:
        LaunchError: If there is an interrupted one and the user has not said what to do, or none
            to resume.
        JournalError: If the one that is named is damaged.
    """
    output = local_output(args)
    if args.launch is not None:
        return _named(output, args.launch, experiment)
    found = find_interrupted(output, experiment)
    if args.resume and not found:
        raise LaunchError(
            f"--resume: {output} has no interrupted launch of '{experiment}'; start without it"
        )
    if found and args.overwrite:
        for folder in found:
            with held(folder):
                LaunchLog(Journal(folder)).give_up("interrupted, and not resumed")
        return None
    if found and not args.resume:
        raise LaunchError(
            f"'{experiment}' was interrupted ({found[-1].name}): --resume goes on with it, "
            "--overwrite leaves it as it is and starts another"
        )
    return found[-1] if found else None


def make_settings(args: argparse.Namespace, experiment: str, resumed: Path | None) -> Settings:
    """Return where a launch writes: into a new folder of its own, or that of the resumed one."""
    output = local_output(args)
    return Settings(
        run_name=(resumed or _new_folder(output, experiment)).name,
        output=output,
        shared=args.output if isinstance(args.output, Place) else Place(str(output)),
        tracking_uri=tracking_uri(args),
        artifacts=(ROOT if args.tracking_uri is None else output) / "mlartifacts",
        address=args.address,
        git_commit=git_commit(),
        resumed=resumed is not None,
    )


def how_to_go_on(args: argparse.Namespace, experiment: str) -> str:
    """Return what to tell the user of a launch that Ctrl-C ended: the command that resumes it."""
    if not find_interrupted(local_output(args), experiment):
        return "Interrupted before the first trial: there is nothing to resume"
    return f"Interrupted; to go on: {resume_command()}"


def resume_command() -> str:
    """Return this program's command line with --resume, without passwords."""
    words = [word for word in sys.argv if word not in ("--resume", "--overwrite")]
    return shlex.join(["python", *map(hide_passwords, words), "--resume"])


def _named(output: Path, name: str, experiment: str) -> Path:
    """Return the folder of the launch that the user names.

    Raises:
        LaunchError: If there is none of that name, or it has come to its end.
    """
    known = [path.parent for path in output.glob(f"*/{JOURNAL}")]
    folder = next((place for place in known if place.name == name), None)
    if folder is None:
        others = ", ".join(place.name for place in find_interrupted(output, experiment))
        raise LaunchError(
            f"--launch: {output} has no launch {name!r}; interrupted are: {others or 'none'}"
        )
    log = LaunchLog(Journal(folder))
    if not log.open_launch:
        raise LaunchError(f"--launch: {name} came to its end; there is nothing to resume")
    return folder


def find_interrupted(output: Path, experiment: str) -> list[Path]:
    """Return the folders of launches that did not end and are not running, oldest first.

    One whose journal is damaged is none: only its name can ask for it.
    """
    found = []
    for path in output.glob(f"*/{JOURNAL}"):
        try:
            journal = Journal(path.parent)
        except JournalError:
            continue
        entries = journal.entries
        ours = bool(entries) and entries[0]["experiment"] == experiment
        if ours and LaunchLog(journal).open_launch and not is_running(path.parent):
            found.append((entries[0]["time"], path.parent))
    return [folder for _, folder in sorted(found)]


def is_running(folder: Path) -> bool:
    """Return whether a program is at work in the launch's folder."""
    try:
        with FileLock(folder / _LOCK, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def held(folder: Path) -> Iterator[None]:
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
