"""The terminal: how wide it is, notices on it, pictures of what it shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuning.system.atomic_files import atomic_write


def notice_on(console: Console) -> Callable[[str], None]:
    """Return what shows a sentence as a notice."""

    def tell(sentence: str) -> None:
        console.print(Text(f"Notice: {sentence}", style="bold yellow"), soft_wrap=True)

    return tell


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
