"""Guards the progress display: a line for each ended trial, with its scores, flags or cause."""

import io

from rich.console import Console

from tuning.execution.progress import Progress


def shown(*, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=terminal, no_color=True)
    with Progress(console, 3) as progress:
        progress.start("01-all", 4)
        progress.advance("01-all", 2, 0.6543)
        progress.finish("01-all", {"val_f1_at_threshold": 0.7, "val_auc": 0.75, "collapsed": 1.0})
        progress.start("02-some", 4)
        progress.fail("02-some", "the worker died")
    return file.getvalue()


def test_without_a_terminal_only_lines_of_ended_trials_are_printed() -> None:
    lines = [line.split(maxsplit=1)[1] for line in shown(terminal=False).strip().split("\n")]
    assert lines == [
        "1/3  01-all  val F1 0.700 val AUC 0.750 collapsed",
        "2/3  02-some  failed: the worker died",
    ]


def test_on_a_terminal_a_running_trial_has_a_bar_with_its_best_score() -> None:
    assert "trials" in shown(terminal=True)
