"""The terminal: how wide it is, notices on it, pictures of what it shows."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuning.system.atomic_files import atomic_write


def notify(console: Console, sentence: str) -> None:
    """Print a sentence as a notice: what was replaced, cut, repeated or left for later."""
    console.print(Text(f"Notice: {sentence}", style="bold yellow"), soft_wrap=True)


def print_rows(console: Console, rows: Mapping[str, str]) -> None:
    """Print a plan: a name and what is said of it in each row."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(value))
    console.print(table)


def make_console() -> Console:
    """Return the console; a file or a pipe gets lines wide enough for the table."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def save_picture(tables: Iterable[Table], path: Path, command: str) -> None:
    """Write tables as an SVG picture, as a terminal would show them after the command."""
    console = Console(record=True, width=120, file=io.StringIO())
    for table in tables:
        console.print(table)
    with atomic_write(path) as beside:
        console.save_svg(str(beside), title=command)
