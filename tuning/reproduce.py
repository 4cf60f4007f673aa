"""Recompute a saved classifier's scores: python tuning/reproduce.py RUN_ID|FOLDER [--all NAME]."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from measures.addresses import choose_store, store_uri, user_path
from measures.command_line import run_command
from tuning.cli import USER_ERRORS
from tuning.data.sources import read_locations

if TYPE_CHECKING:  # torch takes seconds to import
    from tuning.training.reproduction import Comparison, Reproducer


def main() -> int:
    """Return the exit code: 0 if the scores agree, by the rule that is printed, 1 if one differs.

    2 is that of scores that cannot be recomputed.
    """
    args = _parse()
    from models.checkpoint import CheckpointError
    from tuning.training.reproduction import Reproducer

    console, agreeing = Console(), []
    try:
        reproducer = Reproducer(locations=read_locations(), data=args.data)
        for name, comparison in _compare(reproducer, args):
            console.print(comparison_table(name, comparison))
            console.print(comparison.how, highlight=False, markup=False, soft_wrap=True)
            agreeing.append(comparison.agrees)
    except (*USER_ERRORS, CheckpointError) as error:
        print(f"reproduce.py: error: {error}", file=sys.stderr)
        return 2
    if len(agreeing) != 1:
        console.print(f"{sum(agreeing)} of {len(agreeing)} runs reproduce their scores")
    return 0 if agreeing and all(agreeing) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Recompute a saved classifier's scores."
    )
    parser.add_argument("saved", nargs="?", help="MLflow run id, or folder of saved models")
    parser.add_argument(
        "--all", metavar="NAME", help="compare every finished trial of this experiment"
    )
    parser.add_argument("--data", help="folder of the data set, if it has moved")
    text = "MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project's folder"
    parser.add_argument("--tracking-uri", type=store_uri, help=text)
    args = parser.parse_args()
    if (args.saved is None) == (args.all is None):
        parser.error("give one run id or folder, or --all EXPERIMENT")
    if "" in (args.saved, args.all):
        parser.error("must not be empty: the run id, the folder or the experiment")
    return args


def _compare(reproducer: Reproducer, args: argparse.Namespace) -> Iterator[tuple[str, Comparison]]:
    """Yield the name and the comparison of each classifier that the arguments name."""
    saved = args.saved or ""
    if args.all is None and user_path(saved).is_dir():
        yield from _compare_folder(reproducer, user_path(saved).resolve())
        return
    from tuning.tracking.mlflow_reader import fetch_run, finished_trials

    store = choose_store(args.tracking_uri)
    for run_id in finished_trials(store, args.all) if args.all else [saved]:
        with tempfile.TemporaryDirectory() as scratch:
            yield run_id, reproducer.check(*fetch_run(store, run_id, Path(scratch)))


def _compare_folder(reproducer: Reproducer, saved: Path) -> Iterator[tuple[str, Comparison]]:
    """Yield the name and the comparison of each classifier in a folder."""
    from models.checkpoint import read_card
    from tuning.training.reproduction import find_saved

    for folder, encoder in find_saved(saved):
        name = str(folder.relative_to(saved) if folder != saved else saved)
        yield name, reproducer.check(folder, encoder, read_card(folder)["metrics"])


def comparison_table(name: str, comparison: Comparison) -> Table:
    """Return the table of logged and recomputed metrics, each marked as equal or as different."""
    table = Table(title=name, title_justify="left", header_style="bold")
    for column in ("metric", "logged", "recomputed", ""):
        table.add_column(column, justify="left" if column in ("metric", "") else "right")
    for metric, value in comparison.logged.items():
        mark = "[red]differs[/]" if metric in comparison.differing else "[green]equal[/]"
        recomputed = comparison.recomputed[metric]
        table.add_row(metric, f"{value:.6f}", f"{recomputed:.6f}", mark)
    return table


if __name__ == "__main__":
    sys.exit(run_command(main))
