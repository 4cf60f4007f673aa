"""The command line that the searches share, and what it takes from the environment."""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path
from time import localtime, strftime

from tuning import parade
from tuning.config import ConfigError, Experiment
from tuning.loading import load_experiment
from tuning.places import Place, is_uri
from tuning.sources import Places

ROOT = Path(__file__).resolve().parents[1]


def build_parser(description: str, default: str) -> argparse.ArgumentParser:
    """Return the parser; ``default`` is the experiment that runs if none is named."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("config", type=Path, nargs="?", default=ROOT / "experiments" / default, help="YAML file")
    add("--data", help="auto, parade, embedded, or a folder with train, validation and test")
    add("--encoder", help="auto, embedded, a folder, or a name on the hub")
    text = "folder for results and caches, or a URI as s3://... that all nodes of a cluster reach"
    add("--output", type=folder_or_uri, default=ROOT / "results", help=text)
    text = "folder for the driver's journal and caches where --output is a URI; default: results"
    add("--local", type=Path, default=ROOT / "results", help=text)
    add("--tracking-uri", help="MLflow store; default: mlflow.db at the project's root")
    add("--address", help="join the Ray cluster at HOST:PORT, or auto for the one of this machine")
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a value of the YAML file; a list makes it an axis")  # fmt: skip
    add("--no-cache-activations", action="store_true", help="run frozen layers in every epoch")
    add("--strict", action="store_true", help="refuse the embedded defaults as stand-ins")
    add("--dry-run", action="store_true", help="print the plan and stop")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--resume", action="store_true", help="go on where one was interrupted")
    choice.add_argument("--launch", metavar="NAME", help="go on with this one")
    choice.add_argument("--overwrite", action="store_true", help="leave it and start another")
    return parser


def folder_or_uri(text: str) -> Path | Place:
    """Return what ``--output`` names: a folder, or a place that is reached by its URI."""
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return Place(text.rstrip("/")) if is_uri(text) else Path(text)


def local_output(args: argparse.Namespace) -> Path:
    """Return the folder in which the driver keeps its launches."""
    return (args.local if isinstance(args.output, Place) else args.output).resolve()


def add_search_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return the parser with what a search takes beside what every launch takes."""
    text = "RDB URL of the Optuna study; default: optuna.db in the output folder"
    parser.add_argument("--storage", help=text)
    return parser


def read_experiment(args: argparse.Namespace) -> Experiment:
    """Return the experiment that the arguments ask for.

    Raises:
        ConfigError: With every problem of the file and the overrides.
        OSError: If the file cannot be read.
    """
    experiment = load_experiment(args.config, args.overrides)
    chosen = {"data": args.data, "encoder": args.encoder}
    if args.no_cache_activations:
        chosen["cache_activations"] = False
    return experiment.model_copy(update={k: v for k, v in chosen.items() if v is not None})


def require_grid(experiment: Experiment, path: Path) -> Experiment:
    """Return the experiment if it is a grid.

    Raises:
        ConfigError: If it is a search.
    """
    if experiment.search is not None or experiment.space:
        rule = "search, space: belong to a search; python tuning/run_search.py runs it"
        raise ConfigError(str(path), [rule])
    return experiment


def read_places() -> Places:
    """Return where to look for data, as the environment says."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = os.environ.get("PARADE_DIR")
    return Places(
        cache=cache / "paraphrase-tuner",
        parade_folder=Path(folder) if folder else None,
        parade_url=os.environ.get("PARADE_URL", parade.URL),
    )


def tracking_uri(args: argparse.Namespace) -> str:
    """Return the MLflow store: the one given, or a SQLite file at the project's root."""
    return args.tracking_uri or f"sqlite:///{ROOT / 'mlflow.db'}"


def run_name(experiment: str) -> str:
    """Return the experiment's name with the local time, so that no run overwrites another."""
    return f"{experiment}-{strftime('%Y%m%d-%H%M%S', localtime())}"


def git_commit() -> str:
    """Return the commit of this checkout, with a plus sign if files were changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"
