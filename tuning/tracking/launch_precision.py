"""The precision of a launch: what its machine does faster when it starts, the same ever after."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rich.console import Console

from models.number_formats import Precision, read_precision
from tuning.system.console import notify
from tuning.system.machine import choose_precision, describe_rates, recall_rates
from tuning.tracking.launch_log import LaunchLog


def launch_precision(wanted: str, log: LaunchLog, cache: Path, console: Console) -> Precision:
    """Return the precision of a launch, and show what was measured for it, if anything was.

    A launch that is resumed keeps the one that it was started with, on whatever machine. On a
    cluster the driver's machine is the one that is measured.

    Args:
        wanted: Precision of the experiment: ``auto``, ``float32`` or ``bfloat16``.
        log: Log of the launch; without entries if it is new.
        cache: Folder in which this machine's rates are remembered.
        console: Console for what was measured, and for notices.
    """
    known, report = recall_rates(cache), partial(notify, console)
    if not log.journal.entries or wanted != "auto":
        chosen = choose_precision(wanted, cache, report)
        measured = recall_rates(cache)
        if known is None and measured is not None:
            line = f"Precision: {describe_rates(measured)}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return chosen
    kept = read_precision(log.journal.entries[0]["identity"]["precision"])
    if known is not None and known.choose() != kept:
        report(
            f"the launch keeps the precision that it was started with, {kept}; this machine "
            f"would choose {known.choose()}"
        )
    return kept
