"""Guards the progress display: a line for each ended trial, with its scores, flags or cause."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from measures.objective import OBJECTIVE
from tests.tuning.data.test_prepared import experiment
from tuning.data.prepared import prepare
from tuning.data.sources import DataLocations
from tuning.execution.progress import Progress, encoding_progress
from tuning.system.time_left import TimeLeft


def shown(*, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=terminal, no_color=True)
    left = TimeLeft({"01-all": 4.0, "02-some": 4.0, "03-some": 4.0}, 3)
    with Progress(console, left, " of this stage") as progress:
        progress.start("01-all", 4, 1.0)
        progress.advance("01-all", {"epoch": 4, "seconds": 20.0, OBJECTIVE: 0.6543})
        progress.finish("01-all", {"val_f1_at_threshold": 0.7, "val_auc": 0.75, "collapsed": 1.0})
        progress.start("02-some", 4, 1.0)
        progress.fail("02-some", "the worker died")
    return file.getvalue()


def test_without_a_terminal_lines_say_what_begins_and_what_ended() -> None:
    first, *rest = shown(terminal=False).strip().split("\n")
    assert first == "Training 3 trials of this stage"
    lines = [line.split(maxsplit=1)[1] for line in rest]
    assert lines == [
        "1/3  01-all  val F1* 0.700 val AUC 0.750 collapsed  "
        "(about 40 seconds left of this stage)",
        "2/3  02-some  failed: the worker died  (about 20 seconds left of this stage)",
    ]


def test_on_a_terminal_a_running_trial_has_a_bar_with_its_best_score() -> None:
    assert "trials" in shown(terminal=True)


def test_on_a_terminal_the_time_left_stands_beside_the_bar_and_not_in_the_lines() -> None:
    found = shown(terminal=True)
    assert "about 20 seconds left of this stage" in found
    assert "(about" not in found


@pytest.mark.parametrize(("encoding", "what"), [("pair", "rows"), ("separate", "texts")])
@pytest.mark.parametrize(("depths", "shown"), [((4,), "4"), (("none", "all", 2), "0, 2 and 4")])
def test_a_terminal_shows_the_encoded_rows_and_a_file_a_line(
    tmp_path: Path, encoding: str, what: str, depths: tuple[Any, ...], shown: str
) -> None:
    trials = experiment(trial={"encoding": encoding}, grid={"freezing": [*depths]})
    prepared = prepare(trials, DataLocations(cache=tmp_path))
    rows = sum(table.sequences.rows for table in prepared.tokens.splits.values())
    begun = f"Preparing {rows} {what} for trials with {shown} frozen layers\n"
    for terminal in (True, False):
        file = io.StringIO()
        console = Console(file=file, width=100, force_terminal=terminal, no_color=True)
        with encoding_progress(console, prepared, prepared.trials) as advance:
            advance(rows - 1)  # the speed is not known before
            advance(1)
        assert (f"{rows}/{rows} {what}" in file.getvalue()) == terminal
        assert (file.getvalue() == begun) != terminal
