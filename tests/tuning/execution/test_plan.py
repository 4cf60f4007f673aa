"""Guards the plan before a launch: notices come first, and the cost grows with the epochs."""

import io
from pathlib import Path

from rich.console import Console

from tests.tuning.execution.experiment import prepared
from tuning.execution.plan import estimate_seconds, print_plan


def test_a_plan_opens_with_what_stands_in_and_why(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=140)
    print_plan(prepared(tmp_path, data="auto"), console)
    assert isinstance(console.file, io.StringIO)
    first_line = console.file.getvalue().split("\n")[0]
    assert first_line.startswith("Notice: PARADE is unavailable: 127.0.0.1 refuses the connection")
    assert first_line.endswith("the embedded pairs stand in for it")


def test_more_epochs_cost_more(tmp_path: Path) -> None:
    short, long = prepared(tmp_path, epochs=1), prepared(tmp_path, epochs=9)
    assert estimate_seconds(long) > estimate_seconds(short)
