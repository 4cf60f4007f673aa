"""The launches in an output folder: which of them was interrupted, and is it to go on."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from measures.passwords import hide_passwords
from tuning.tracking.journal import JOURNAL, Journal, JournalError
from tuning.tracking.launch_folder import (
    LaunchError,
    LaunchOptions,
    is_running,
    lock_launch,
)
from tuning.tracking.launch_log import LaunchLog


def choose_launch(options: LaunchOptions, experiment: str) -> Path | None:
    """Return the folder of the interrupted launch to go on with; None to begin one.

    Args:
        options: The command line's.
        experiment: Name of the experiment.

    Raises:
        LaunchError: If there is an interrupted one and the user has not said what to do, or none
            to resume.
        JournalError: If the one that is named is damaged.
    """
    output = options.output
    if options.launch is not None:
        return _named(output, options.launch, experiment)
    found = find_interrupted(output, experiment)
    if options.resume and not found:
        raise LaunchError(
            f"--resume: {output} has no interrupted launch of '{experiment}'; start without it"
        )
    if found and options.overwrite:
        for folder in found:
            with lock_launch(folder):
                LaunchLog(Journal(folder)).give_up("interrupted, and not resumed")
        return None
    if found and not options.resume:
        raise LaunchError(
            f"'{experiment}' was interrupted ({found[-1].name}): --resume goes on with it, "
            "--overwrite leaves it as it is and starts another"
        )
    return found[-1] if found else None


def resume_hint(options: LaunchOptions, experiment: str) -> str:
    """Return what to tell the user of a launch that Ctrl-C ended: the command that resumes it."""
    if not find_interrupted(options.output, experiment):
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
    folder = next((folder for folder in known if folder.name == name), None)
    if folder is None:
        others = ", ".join(folder.name for folder in find_interrupted(output, experiment))
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


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as they come back from JSON, which knows no tuples."""
    return json.loads(json.dumps(values, default=str))


def differences(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield a phrase for each value that is not the same, of mappings in it by key."""
    for part in sorted({*known, *wanted}):
        one, other = known.get(part), wanted.get(part)
        if isinstance(one, dict) and isinstance(other, dict):
            for phrase in differences(one, other):
                yield f"{part}.{phrase}"
        elif one != other:
            yield f"{part} was {one}, is now {other}"


def refuse_changes(log: LaunchLog, wanted: Mapping[str, Any], way_out: str) -> None:
    """Compare what a launch was begun with, if it was, and what it would be resumed with.

    Args:
        log: Log of the launch.
        wanted: What it would be resumed with, as JSON values.
        way_out: What to do if that is another thing on purpose.

    Raises:
        LaunchError: If they differ; with every difference.
    """
    if not log.journal.entries:
        return
    found = list(differences(log.journal.entries[0]["identity"], wanted))
    if found:
        raise LaunchError(
            f"{log.journal.folder.name}: was begun with something else: {'; '.join(found)}; go "
            f"back to what it was begun with, or {way_out}"
        )
