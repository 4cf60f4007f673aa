"""One launch as the user sees it: run the trials, print the table and what to type next."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tuning.callbacks import Outcome
from tuning.display import result_table, save_picture, table_title
from tuning.launch import launch, model_folder, rank
from tuning.launch_record import Settings
from tuning.options import ROOT, git_commit, run_name, tracking_uri
from tuning.prepare import Prepared


def run(prepared: Prepared, args: argparse.Namespace, console: Console) -> int:
    """Return 0 if every trial finished, else 1, after printing what came out."""
    settings = Settings(
        run_name=run_name(prepared.experiment.name),
        output=args.output.resolve(),
        tracking_uri=tracking_uri(args),
        artifacts=ROOT / "mlartifacts" if args.tracking_uri is None else _beside(args),
        address=args.address,
        git_commit=git_commit(),
    )
    outcomes = rank(launch(prepared, settings, console))
    rows = [(outcome.config, outcome.metrics, outcome.cause) for outcome in outcomes]
    table = result_table(table_title(prepared), rows)
    console.print(table)
    save_picture([table], settings.folder / "table.svg", "python tuning/run_grid.py")
    _print_next(outcomes, settings, args, console)
    return 1 if any(outcome.cause is not None for outcome in outcomes) else 0


def _beside(args: argparse.Namespace) -> Path:
    return args.output.resolve() / "mlartifacts"


def _print_next(
    outcomes: list[Outcome], settings: Settings, args: argparse.Namespace, console: Console
) -> None:
    for outcome in outcomes:
        if outcome.cause is not None:
            console.print(Text(f"failed: {outcome.name}: {outcome.cause}", style="red"))
    lines = [f"Results: {settings.folder}", f"Log:     {settings.tracking_uri}", "Next:"]
    store = f" --tracking-uri {args.tracking_uri}" if args.tracking_uri else ""
    if outcomes and model_folder(outcomes[0]):
        lines.append(f"  python tuning/reproduce.py {outcomes[0].run_id}{store}")
    ui = f"mlflow ui --backend-store-uri {args.tracking_uri}" if store else "make ui"
    lines.append(f"  {ui:<60}  compare the trials in a browser")
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)
