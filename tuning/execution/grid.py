"""One launch as the user sees it: run the trials, print the table and what to type next."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from measures.passwords import hide_passwords
from tuning.config.experiment import TrialConfig, varied_fields
from tuning.data.prepared import Prepared
from tuning.execution.context import open_context
from tuning.execution.outcomes import Outcome, finished_trials, model_folder, rank
from tuning.execution.trial_checkpoint import STATES
from tuning.execution.tuner import run_points
from tuning.system.console import notice_on, save_picture
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_folder import LaunchSettings, make_settings
from tuning.tracking.launch_log import FIGURES, LaunchLog
from tuning.tracking.record import keep_inputs, recording


def launch(
    prepared: Prepared, settings: LaunchSettings, log: LaunchLog, console: Console
) -> list[Outcome]:
    """Run every trial and return what became of each, in the order of the grid.

    A trial that fails is recorded and does not stop the others. Those that a resumed launch has
    behind it are not run again. Needs a Ray session.
    """
    names = trial_names(prepared.trials)
    points = {
        name: {"trial": trial.model_dump()}
        for name, trial in zip(names, prepared.trials, strict=True)
    }
    done = finished_trials(log, settings.folder, "grid", names, notice_on(console))
    left = {name: point for name, point in points.items() if name not in done}
    with ThreadPoolExecutor(1) as aside:
        kept = aside.submit(keep_inputs, prepared, settings.folder, log)
        context = open_context(prepared, settings, log, console) if left else None
        kept.result()
    if context is not None:
        done |= run_points(context, left)
    outcomes = [done[name] for name in names]
    failed = sum(outcome.cause is not None for outcome in outcomes)
    best = rank(outcomes)[0].metrics if outcomes else {}
    log.end_parent(failed=failed, summary=best)
    (settings.storage / STATES).remove()
    return outcomes


def trial_names(trials: list[TrialConfig]) -> list[str]:
    """Return a name for each trial: its number and what sets it apart; safe as a folder's name."""
    varied = varied_fields(trials)
    return [
        "-".join([f"{number:02d}", *(str(getattr(trial, field)) for field in varied)])
        for number, trial in enumerate(trials, 1)
    ]


def run(
    prepared: Prepared, resumed: Path | None, args: argparse.Namespace, console: Console
) -> int:
    """Return 0 if every trial finished, else 1, after printing what came out.

    Args:
        prepared: The experiment.
        resumed: The folder of the interrupted launch to go on with.
        args: Of the command line.
        console: Shows all of it.
    """
    settings = make_settings(args, prepared.experiment.name, resumed)
    with recording(prepared, settings, console) as log:
        outcomes = rank(launch(prepared, settings, log, console))
        rows = [(outcome.config, outcome.metrics, outcome.cause) for outcome in outcomes]
        table = result_table(table_title(prepared), rows)
        picture = settings.folder / "table.svg"
        save_picture([table], picture, "python tuning/run_grid.py")
        log.keep(picture, FIGURES)
    console.print(table)
    _print_next(outcomes, settings, args, console)
    return print_failed(outcomes, settings.storage, console)


def print_failed(outcomes: list[Outcome], storage: StoragePath, console: Console) -> int:
    """Name the trials that failed and their logs in a last line; return 1 if there are any."""
    failed = [outcome for outcome in outcomes if outcome.cause is not None]
    if not failed:
        return 0
    for outcome in failed:
        console.print(Text(f"{outcome.name}: {outcome.cause}", style="red"), soft_wrap=True)
    logs = ", ".join(f"{o.name} ({storage / o.relative_folder / 'error.txt'})" for o in failed)
    text = f"failed: {len(failed)} of {len(outcomes)} trials: {logs}"
    console.print(Text(text, style="red"), soft_wrap=True)
    return 1


def _print_next(
    outcomes: list[Outcome], settings: LaunchSettings, args: argparse.Namespace, console: Console
) -> None:
    store = hide_passwords(settings.tracking_uri)
    lines = [f"Results: {settings.folder}", f"Log:     {store}", "Next:"]
    best = model_folder(outcomes[0]) if outcomes else None
    if best is not None:
        lines.append(f"  python tuning/reproduce.py {best}")
    ui = f"mlflow ui --backend-store-uri {store}" if args.tracking_uri else "make ui"
    lines.append(f"  {ui:<60}  compare the trials in a browser")
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


_AT = "_at_threshold"
_SCORES = ("accuracy", "f1", "precision", "recall")
_HEADERS = ("acc", "F1", "P", "R")


def result_table(
    title: str, rows: Iterable[tuple[TrialConfig, Mapping[str, float], str | None]]
) -> Table:
    """Return the table of outcomes, in the order given.

    Args:
        title: Names experiment, data and encoder.
        rows: Configuration, final metrics, and the cause of a failure, of each trial.
    """
    rows = list(rows)
    varied = varied_fields([config for config, _, _ in rows])
    table = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in varied:
        table.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    scores = ["val\nF1*", "test\nAUC", *(f"{name}\n.5" for name in _HEADERS)]
    for name in [*scores, *(f"{name}\n*" for name in _HEADERS)]:
        table.add_column(name, justify="right", no_wrap=True, min_width=4)
    table.add_column("flags", no_wrap=True)
    for config, metrics, cause in rows:
        names = [f"test_{metric}{suffix}" for suffix in ("", _AT) for metric in _SCORES]
        scores = [_number(metrics, name) for name in ("val_f1" + _AT, "test_auc", *names)]
        settings = [str(getattr(config, name)) for name in varied]
        table.add_row(*settings, *scores, _flags(metrics, cause))
    return table


def _number(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.3f}".lstrip("0") if name in metrics else "-"


def _flags(metrics: Mapping[str, float], cause: str | None) -> str:
    flags = [name for name in ("collapsed", "diverged") if metrics.get(name)]
    return "failed" if cause is not None else ", ".join(flags)


def table_title(prepared: Prepared) -> str:
    """Return the table's title, which says when an embedded default stood in."""
    data, encoder = prepared.data_source, prepared.encoder_source
    names = [f"{s.name} (stands in)" if s.notice else s.name for s in (data, encoder)]
    return (
        f"{prepared.experiment.name}: data {names[0]}, encoder {names[1]}; test scores at 0.5 and "
        "at (*) the threshold with the best validation F1"
    )
