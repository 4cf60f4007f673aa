"""The command line of ``pretrain.py``, and the plan that it prints."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuning.pretraining_plan import SCRATCH, Plan


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        description="Train an encoder to guess masked word pieces, from scratch or further."
    )
    add = parser.add_argument
    text = "text to train on, a paragraph a line, plain or .gz"
    add("--corpus", type=Path, nargs="+", default=[], metavar="FILE", help=text)
    text = "text to score on; default: a share of the corpus"
    add("--heldout", type=Path, nargs="+", default=[], metavar="FILE", help=text)
    text = f"{SCRATCH} (the default), embedded, a folder, or a name on the hub"
    add("--init", default=SCRATCH, help=text)
    text = "then train on the training pairs of this data set: parade, embedded, or a folder"
    add("--adapt", metavar="DATA", help=text)
    text = "recipe; default: experiments/pretrain.yaml, from scratch pretrain_embedded.yaml there"
    add("--config", type=Path, help=text)
    add("--output", type=Path, required=True, help="folder of the encoder; made")
    add("--tracking-uri", help="MLflow store; default: mlflow.db at the project's root")
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a value of the recipe, as corpus.minutes=10")  # fmt: skip
    add("--dry-run", action="store_true", help="print the plan and stop")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--resume", action="store_true", help="go on where it was cut off")
    choice.add_argument("--overwrite", action="store_true", help="forget it and begin anew")
    return parser


def print_plan(plan: Plan, console: Console) -> None:
    """Print what will be trained on what."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in plan.describe().items():
        table.add_row(Text(name, style="bold"), Text(value))
    console.print(table)
