"""Choosing the interrupted launch to resume, and checking that it is resumed unchanged.

A launch that is resumed keeps its precision too, on whatever machine.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from measures.passwords import hide_passwords
from models.number_formats import Precision, read_precision
from tuning.config.trial_values import was_before
from tuning.system.console import notify
from tuning.system.machine import choose_precision, describe_rates, recall_rates
from tuning.tracking.journal import JOURNAL, Journal, JournalError
from tuning.tracking.launch_folder import (
    LaunchError,
    LaunchOptions,
    is_running,
    lock_launch,
)
from tuning.tracking.launch_log import LaunchLog

if TYPE_CHECKING:  # loads torch
    from models.precision import DeviceProperties


def choose_launch(options: LaunchOptions, experiment: str) -> Path | None:
    """Return the folder of the interrupted launch to resume; None to start a new one.

    Nothing is written: it can be asked before the data is read.

    Args:
        options: Options of the command line.
        experiment: Name of the experiment.

    Raises:
        LaunchError: If there is an interrupted launch and no option says what to do with it, or
            there is none to resume.
        JournalError: If the journal of the launch that the user names is damaged.
    """
    output = options.output
    if options.join:
        if options.resume or options.launch is not None:
            rule = "a driver that joined a search is not resumed; start it without --resume"
            raise LaunchError(f"--join: {rule} and --launch")
        return None
    if options.launch is not None:
        return _named(output, options.launch, experiment)
    found = find_interrupted(output, experiment)
    if options.resume and not found:
        raise LaunchError(
            f"--resume: {output} has no interrupted launch of '{experiment}'; start without it"
        )
    if options.overwrite:
        return None
    if found and not options.resume:
        raise LaunchError(
            f"'{experiment}' was interrupted ({found[-1].name}): --resume continues it, "
            "--overwrite leaves it as it is and starts another"
        )
    return found[-1] if found else None


def leave_interrupted(options: LaunchOptions, experiment: str) -> None:
    """With ``--overwrite``, close every interrupted launch of the experiment in its journal.

    Raises:
        LaunchError: If another program uses the folder of one.
    """
    if options.overwrite:
        for folder in find_interrupted(options.output, experiment):
            with lock_launch(folder):
                LaunchLog(Journal(folder)).give_up("interrupted, and not resumed")


def _named(output: Path, name: str, experiment: str) -> Path:
    """Return the folder of the launch that the user names.

    Raises:
        LaunchError: If there is none of that name, it has ended, or is of another experiment.
    """
    known = {path.parent.name: path.parent for path in output.glob(f"*/{JOURNAL}")}
    if name not in known:
        others = ", ".join(folder.name for folder in find_interrupted(output, experiment))
        raise LaunchError(
            f"--launch: {output} has no launch {name!r}; interrupted launches: {others or 'none'}"
        )
    log = LaunchLog(Journal(known[name]))
    if not log.open_launch:
        raise LaunchError(f"--launch: {name} has ended; there is nothing to resume")
    begun = log.journal.entries[0]["experiment"] if log.journal.entries else experiment
    if begun != experiment:
        raise LaunchError(
            f"--launch: {name} is a launch of '{begun}', not of '{experiment}': name the YAML "
            "file that it was started with"
        )
    return known[name]


def find_interrupted(output: Path, experiment: str) -> list[Path]:
    """Return the folders of launches that did not end and are not running, oldest first.

    A launch whose journal is damaged is left out: it is resumed only by its name.
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


def resume_hint(options: LaunchOptions, experiment: str) -> str:
    """Return the sentence for the user after Ctrl-C: the command that resumes the launch."""
    if not find_interrupted(options.output, experiment):
        return "Interrupted before the first trial: there is nothing to resume"
    return f"Interrupted; to resume: {resume_command()}"


def launch_command() -> str:
    """Return the command line that this program was started with, without passwords."""
    return shlex.join(["python", *map(hide_passwords, sys.argv)])


def resume_command() -> str:
    """Return the command line that resumes what this program ran, without passwords.

    A command that names its launch already resumes it, and takes no ``--resume`` beside it.
    """
    words = [word for word in sys.argv if word not in ("--resume", "--overwrite")]
    named = any(word.partition("=")[0] == "--launch" for word in words)
    resume = [] if named else ["--resume"]
    return shlex.join(["python", *map(hide_passwords, words), *resume])


def refuse_changes(log: LaunchLog, wanted: Mapping[str, Any], way_out: str) -> None:
    """Check that a launch is resumed with what it was started with; a new one always passes.

    Args:
        log: Log of the launch.
        wanted: Identity of the launch as it would be resumed, as JSON values.
        way_out: Advice to a user who changed something on purpose, as the end of a sentence.

    Raises:
        LaunchError: If anything differs; the message has every difference.
    """
    if not log.journal.entries:
        return
    found = list(differences(log.journal.entries[0]["identity"], wanted))
    if found:
        raise LaunchError(
            f"{log.journal.folder.name}: was started with other values: {'; '.join(found)}; "
            f"resume it with the values it was started with, or {way_out}"
        )


def launch_precision(
    wanted: str,
    log: LaunchLog,
    cache: Path,
    console: Console,
    device: DeviceProperties | None = None,
) -> Precision:
    """Return the precision of a launch, and show it unless the plan, which knows no GPU, did.

    A launch that is resumed keeps the one that it was started with, on whatever machine. On a
    cluster without GPUs the driver's machine is the one that is measured.

    Args:
        wanted: Precision of the experiment: ``auto``, ``float32`` or ``bfloat16``.
        log: Log of the launch; without entries if it is new.
        cache: Folder in which this machine's rates are remembered.
        console: Console for what was measured, and for notices.
        device: What trials run on; by default this machine's GPU if it has one.
    """
    known, report = recall_rates(cache), partial(notify, console)
    if not log.journal.entries or wanted != "auto":
        chosen = choose_precision(wanted, cache, report, device)
        told = known is not None and known.choose() == chosen  # by the plan
        if wanted == "auto" and not told:
            rates = recall_rates(cache)  # none where they cannot be kept; not those of a GPU
            fits = rates is not None and rates.choose() == chosen
            found = describe_rates(rates) if rates and fits else chosen
            console.print(f"Precision: {found}", highlight=False, markup=False, soft_wrap=True)
        return chosen
    kept = read_precision(log.journal.entries[0]["identity"]["precision"])
    if known is not None and known.choose() != kept:
        report(
            f"the launch keeps the precision that it was started with, {kept}; this machine "
            f"would choose {known.choose()}"
        )
    return kept


def differences(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield a phrase for each value that differs; inner mappings are compared key by key."""
    for key in sorted({*known, *wanted}):
        before, now = (each.get(key, was_before(key)) for each in (known, wanted))
        if isinstance(before, dict) and isinstance(now, dict):
            for phrase in differences(before, now):
                yield f"{key}.{phrase}"
        elif before != now:
            yield f"{key} was {before}, is now {now}"


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as they come back from JSON: tuples as lists, unknown types as text."""
    return json.loads(json.dumps(values, default=str))
