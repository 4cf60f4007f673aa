"""Tables of start-up and of all goals for the pages, from the records of the benchmarks."""

from __future__ import annotations

import statistics

from benchmarks.goals import HEADER, RECORDS, reasons, rows
from benchmarks.markdown_text import Record, origin, table
from benchmarks.search_blocks import until

_STARTS = {  # parts of start_up.py
    "first_step": "start of `run_grid.py` to the first training step; processor: the driver",
    "worker": "from the line that trials are trained to that step; processor: all workers",
    "help": "`--help`",
    "dry_run": "`--dry-run`",
}


def start_up(record: Record) -> str:
    """Return the seconds of start-up, of the clock and of the processors, over the turns."""
    numbers, cells = record["numbers"], []
    for name, words in _STARTS.items():
        wall, cpu = ([each[kind] for each in numbers[name]] for kind in ("wall", "cpu"))
        spread = f"{min(wall):.2f} to {max(wall):.2f}"
        cells.append(
            [words, f"{statistics.median(wall):.2f}", spread, f"{statistics.median(cpu):.2f}"]
        )
    header = (
        f"{numbers['rounds']} turns",
        "seconds, median",
        "least to most",
        "of the processors",
    )
    return f"{table(header, cells)}\n\n{origin(record)}"


def readme_times(freezing: Record, search: Record) -> str:
    """Return the README's sentence on what its commands take."""
    whole = [record.get("seconds", record["numbers"]["seconds"]) for record in (freezing, search)]
    minutes = [f"{seconds / 60:.0f}" for seconds in (*whole, until(search))]
    machine = search["machine"]
    return (
        f"On PARADE with `minilm`, {machine['cores']} cores ({machine['date']}): `make freezing` "
        f"{minutes[0]} minutes, `make search` {minutes[2]} until the champion is known\n"
        f"and {minutes[1]} with the ablations after it; `make report` about one."
    )


def goals(*records: Record | None) -> str:
    """Return every goal with what was last measured, and when; what explains those missed.

    Args:
        records: Records in the order of ``RECORDS``, None where nothing was measured.
    """
    named = dict(zip(RECORDS, records, strict=True))
    lines = [f"- {name}: {why}." for name, why in reasons(named)]
    told = ["Where the rest goes, of each that was missed:", "\n".join(lines)] if lines else []
    return "\n\n".join([table(HEADER, rows(named)), *told])
