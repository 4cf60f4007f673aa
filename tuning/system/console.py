"""Terminal output: the console, notices, plans, and SVG pictures of tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuning.system.atomic_files import atomic_write


def make_console() -> Console:
    """Return a console for standard output; a file or a pipe gets lines of 120 characters."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def notify(console: Console, sentence: str) -> None:
    """Print a notice: something was replaced, cut, repeated or postponed."""
    console.print(Text(f"Notice: {sentence}", style="bold yellow"), soft_wrap=True)


def print_details(console: Console, details: Iterable[str]) -> None:
    """Print what libraries reported about the notices: addresses, classes, numbers."""
    for detail in details:
        console.print(Text(f"Detail: {detail}", style="dim"), soft_wrap=True)


def print_rows(console: Console, rows: Mapping[str, str]) -> None:
    """Print a plan as two columns: the names, and a text for each."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(value))
    console.print(table)


def save_picture(tables: Iterable[Table], path: Path, command: str) -> None:
    """Write an SVG picture of a terminal that shows the tables.

    Args:
        tables: Tables in the order in which they are shown.
        path: SVG file to write.
        command: Command that printed the tables; the title of the picture.

    Raises:
        DiskError: If the disk is full or not writable.
    """
    console = Console(record=True, width=120, file=io.StringIO())
    for table in tables:
        console.print(table)
    with atomic_write(path) as beside:
        console.save_svg(str(beside), title=command)
