"""One launch as the user sees it: run the trials, print the table and what to type next."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.text import Text

from measures.passwords import hide_passwords
from tuning.callbacks import Outcome
from tuning.display import result_table, save_picture, table_title
from tuning.launch import launch, model_folder, rank
from tuning.launch_log import FIGURES
from tuning.launch_record import recorded
from tuning.launches import Settings, make_settings
from tuning.places import Place
from tuning.prepare import Prepared


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
    with recorded(prepared, settings, console) as log:
        outcomes = rank(launch(prepared, settings, log, console))
        rows = [(outcome.config, outcome.metrics, outcome.cause) for outcome in outcomes]
        table = result_table(table_title(prepared), rows)
        picture = settings.folder / "table.svg"
        save_picture([table], picture, "python tuning/run_grid.py")
        log.keep(picture, FIGURES)
    console.print(table)
    _print_next(outcomes, settings, args, console)
    return print_failed(outcomes, settings.place, console)


def print_failed(outcomes: list[Outcome], place: Place, console: Console) -> int:
    """Name the trials that failed and their logs in a last line; return 1 if there are any."""
    failed = [outcome for outcome in outcomes if outcome.cause is not None]
    if not failed:
        return 0
    for outcome in failed:
        console.print(Text(f"{outcome.name}: {outcome.cause}", style="red"), soft_wrap=True)
    logs = ", ".join(f"{o.name} ({place / o.place / 'error.txt'})" for o in failed)
    text = f"failed: {len(failed)} of {len(outcomes)} trials: {logs}"
    console.print(Text(text, style="red"), soft_wrap=True)
    return 1


def _print_next(
    outcomes: list[Outcome], settings: Settings, args: argparse.Namespace, console: Console
) -> None:
    store = hide_passwords(settings.tracking_uri)
    lines = [f"Results: {settings.folder}", f"Log:     {store}", "Next:"]
    best = model_folder(outcomes[0]) if outcomes else None
    if best is not None:
        lines.append(f"  python tuning/reproduce.py {best}")
    ui = f"mlflow ui --backend-store-uri {store}" if args.tracking_uri else "make ui"
    lines.append(f"  {ui:<60}  compare the trials in a browser")
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)
