"""The command line that the searches share, and what it takes from the environment."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.encoder_files import EncoderError
from tuning.config.experiment import ConfigError, Experiment
from tuning.config.loader import load_experiment
from tuning.config.search_space import SearchSettings
from tuning.data.download import DownloadError
from tuning.data.pairs import DataError
from tuning.data.sources import SourceError
from tuning.pretraining.plan import SCRATCH, PretrainingOptions
from tuning.system.project import ROOT
from tuning.system.storage_path import StoragePath, is_uri
from tuning.tracking.launch_folder import LaunchOptions, choose_artifacts, choose_store

USER_ERRORS = (ConfigError, DataError, DownloadError, EncoderError, SourceError, OSError)


def require_search(experiment: Experiment, path: Path) -> SearchSettings:
    """Return the settings of a search.

    Raises:
        ConfigError: If the experiment is none, has nothing to vary, or is a grid as well.
    """
    problems = []
    if experiment.search is None:
        problems.append("search: is missing; python tuning/run_grid.py runs a grid")
    if not experiment.space:
        problems.append("space: is missing; it says which fields of a trial vary, and how far")
    if experiment.grid:
        problems.append("grid: a search draws its trials from space; take one of the two out")
    if problems or experiment.search is None:
        raise ConfigError(str(path), problems)
    return experiment.search


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


def folder_or_uri(text: str) -> Path | StoragePath:
    """Return what ``--output`` names: a folder, or a place that is reached by its URI."""
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return StoragePath(text.rstrip("/")) if is_uri(text) else Path(text)


def launch_options(args: argparse.Namespace) -> LaunchOptions:
    """Return what the arguments of a grid or a search say of its launch; paths are absolute."""
    remote = isinstance(args.output, StoragePath)
    output = (args.local if remote else args.output).resolve()
    return LaunchOptions(
        output=output,
        shared_output=args.output if remote else StoragePath(str(output)),
        tracking_uri=choose_store(args.tracking_uri),
        artifacts=choose_artifacts(args.tracking_uri, output),
        own_store=args.tracking_uri is None,
        study_storage=getattr(args, "storage", None) or f"sqlite:///{output / 'optuna.db'}",
        address=args.address,
        resume=args.resume,
        launch=args.launch,
        overwrite=args.overwrite,
    )


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


def pretraining_options(args: argparse.Namespace) -> PretrainingOptions:
    """Return what the arguments of ``pretrain.py`` ask for; the output folder is absolute."""
    output = args.output.resolve()
    return PretrainingOptions(
        corpus=args.corpus,
        heldout=args.heldout,
        init=args.init,
        adapt=args.adapt,
        config=args.config,
        overrides=args.overrides,
        output=output,
        tracking_uri=choose_store(args.tracking_uri),
        artifacts=choose_artifacts(args.tracking_uri, output.parent),
        resume=args.resume,
        overwrite=args.overwrite,
    )


def build_pretraining_parser() -> argparse.ArgumentParser:
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
