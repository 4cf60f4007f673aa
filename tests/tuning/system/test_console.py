"""Guards terminal output: wide lines in a pipe, notices in one line, pictures of tables."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tuning.system.console import (
    make_console,
    notify,
    print_details,
    print_rows,
    save_picture,
)


def test_output_that_is_no_terminal_has_lines_of_120_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = make_console()
    console.print("x" * 120)
    assert console.width == 120
    assert capsys.readouterr().out == "x" * 120 + "\n"


def test_a_notice_is_one_line_without_markup() -> None:
    console = Console(file=io.StringIO(), width=20)
    notify(console, "the file [bold]x[/bold] was cut to its first ten lines")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text == "Notice: the file [bold]x[/bold] was cut to its first ten lines\n"


def test_a_detail_is_one_line_without_markup() -> None:
    console = Console(file=io.StringIO(), width=20)
    print_details(console, ["gaierror: [Errno -2] Name or service not known"])
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "Detail: gaierror: [Errno -2] Name or service not known\n"


def test_a_plan_has_a_line_for_each_row() -> None:
    console = Console(file=io.StringIO(), width=60)
    print_rows(console, {"data": "embedded", "trials": "[12]"})
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert lines == [["data", "embedded"], ["trials", "[12]"]]


def test_a_picture_shows_the_command_and_the_table(tmp_path: Path) -> None:
    table = Table("metric")
    table.add_row("0.648")
    save_picture([table], tmp_path / "table.svg", "run_grid")
    picture = (tmp_path / "table.svg").read_text()
    assert "run_grid" in picture
    assert "0.648" in picture
