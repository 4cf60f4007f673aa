"""The command lines of grids, searches and pretraining: parsers, and options from them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

from measures.addresses import choose_store, sqlite_url, store_uri, user_path
from models.encoder_files import EncoderError
from models.table_files import DataError
from tuning.config.experiment import ConfigError, Experiment
from tuning.config.loader import load_experiment
from tuning.config.search_space import SearchSettings
from tuning.config.settings_file import require_file
from tuning.data.sources import SourceError, read_locations
from tuning.download.download_causes import DownloadError
from tuning.pretraining.plan import SCRATCH, PretrainingOptions
from tuning.system.project import ROOT
from tuning.system.storage_path import StoragePath, is_uri
from tuning.tracking.launch_folder import LaunchOptions, choose_artifacts

EXPERIMENTS = ROOT / "experiments"
_VERBOSE = "add to notices and errors what the libraries reported"
_SET: dict[str, Any] = {"action": "append", "metavar": "KEY=VALUE", "dest": "overrides"}
_STORE = "MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project's folder"
# Errors that the commands report as one sentence, with exit code 2.
USER_ERRORS = (ConfigError, DataError, DownloadError, EncoderError, SourceError, OSError)


def build_parser(description: str, default: str) -> argparse.ArgumentParser:
    """Return the parser of the options that grids and searches share.

    Args:
        description: Sentence for ``--help``.
        default: Name of the file in ``experiments`` that runs if none is given.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, description=description)
    add = parser.add_argument
    add("config", type=user_path, nargs="?", default=EXPERIMENTS / default,
        help="YAML file of the experiment")  # fmt: skip
    text = "auto, parade, embedded, or a folder with the files train, validation and test"
    add("--data", help=text)
    add("--encoder", help="auto, minilm, embedded, a folder, or a name on the Hugging Face hub")
    text = "folder for results and caches, or a URI (s3://...) that all nodes of a cluster reach"
    add("--output", type=folder_or_uri, default=ROOT / "results", help=text)
    text = "folder for the driver's journal and caches if --output is a URI; default: results"
    add("--local", type=user_path, default=ROOT / "results", help=text)
    add("--tracking-uri", type=store_uri, help=_STORE)
    add("--address", help="HOST:PORT of the Ray cluster to run on; auto: that of this machine")
    text = "change a value of the YAML file; a list makes it an axis"
    add("--set", type=_override, help=text, **_SET)
    add("--no-cache-activations", action="store_true", help="run the frozen layers in every epoch")
    text = "stop with an error where something else would stand in for encoder or data"
    add("--strict", action="store_true", help=text)
    add("--dry-run", action="store_true", help="print the plan and stop")
    add("--verbose", action="store_true", help=_VERBOSE)
    choice = parser.add_mutually_exclusive_group()
    text = "resume the last interrupted launch of this experiment"
    choice.add_argument("--resume", action="store_true", help=text)
    choice.add_argument("--launch", metavar="NAME", help="resume the launch of this name")
    text = "leave an interrupted launch as it is and start another"
    choice.add_argument("--overwrite", action="store_true", help=text)
    return parser


def report_error(program: str, error: BaseException, *, verbose: bool) -> int:
    """Print an error as a sentence, with its detail on request; return the exit code for it.

    Args:
        program: File name of the command.
        error: Error of the user's or of the world around, one of ``USER_ERRORS`` for instance.
        verbose: Whether to print the detail, if the error has one.
    """
    sentence = str(error)
    if isinstance(error, OSError) and error.filename and sentence.startswith("[Errno"):
        sentence = f"{error.filename}: {error.strerror}"
    lines = [f"{program}: error: {sentence}"]
    detail = getattr(error, "detail", None)
    if detail:
        lines.append(f"Detail: {detail}" if verbose else "(--verbose says more)")
    sys.stderr.write("\n".join(lines) + "\n")
    return 2


def add_search_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that only a search has; return the parser."""
    text = "RDB URL of the Optuna study; default: optuna.db in the output folder"
    parser.add_argument("--storage", type=store_uri, help=text)
    return parser


def folder_or_uri(text: str) -> Path | StoragePath:
    """Return the value of ``--output``: a Path for a folder, a StoragePath for any other URI."""
    if text.startswith("file://"):
        return Path(url2pathname(text.removeprefix("file://")))
    return StoragePath(text.rstrip("/")) if is_uri(text) else user_path(text)


def _override(text: str) -> str:
    """Return the value of ``--set``; a shell cuts a list at its blanks if it is not in quotes."""
    if any(text.count(start) > text.count(end) for start, end in ("[]", "{}")):
        key = text.partition("=")[0]
        rule = f"is not closed; in quotes the shell does not cut it: --set '{key}=[1, 2]'"
        raise argparse.ArgumentTypeError(f"{text}: {rule}")
    return text


def read_experiment(args: argparse.Namespace) -> Experiment:
    """Return the experiment of the YAML file, changed by ``--set`` and the other options.

    Raises:
        ConfigError: If anything is wrong; the message has all problems of file and overrides.
        OSError: If the file cannot be read.
    """
    experiment = load_experiment(require_file(args.config, EXPERIMENTS), args.overrides)
    chosen = {"data": args.data, "encoder": args.encoder}
    if args.no_cache_activations:
        chosen["cache_activations"] = False
    return experiment.model_copy(update={k: v for k, v in chosen.items() if v is not None})


def require_grid(experiment: Experiment, path: Path) -> Experiment:
    """Return the experiment of the file ``path`` if it is a grid.

    Raises:
        ConfigError: If it is a search.
    """
    if experiment.search is not None or experiment.space:
        rule = "search, space: are keys of a search; run it with python tuning/run_search.py"
        raise ConfigError(str(path), [rule])
    return experiment


def require_search(experiment: Experiment, path: Path) -> SearchSettings:
    """Return the settings of the search in the file ``path``.

    Raises:
        ConfigError: If the experiment is no search, has nothing to vary, or has a grid as well.
    """
    problems = []
    if experiment.search is None:
        problems.append("search: is missing; run a grid with python tuning/run_grid.py")
    if not experiment.space:
        problems.append(
            "space: is missing; it names the fields of a trial that vary, with their values"
        )
    if experiment.grid:
        problems.append(
            "grid: a search draws its trials from space; remove grid or run run_grid.py"
        )
    if problems or experiment.search is None:
        raise ConfigError(str(path), problems)
    return experiment.search


def launch_options(args: argparse.Namespace) -> LaunchOptions:
    """Return the launch options of a grid or a search, with absolute paths.

    Raises:
        OSError: If the output folder has no absolute path, as a link to itself.
    """
    remote = isinstance(args.output, StoragePath)
    output, store = (
        _resolve(args.local if remote else args.output),
        choose_store(args.tracking_uri),
    )
    return LaunchOptions(
        output=output,
        shared_output=args.output if remote else StoragePath(str(output)),
        tracking_uri=store,
        artifacts=choose_artifacts(store, output),
        cache=read_locations().cache,
        study_storage=getattr(args, "storage", None) or sqlite_url(output / "optuna.db"),
        address=args.address,
        resume=args.resume,
        launch=args.launch,
        overwrite=args.overwrite,
    )


def build_pretraining_parser() -> argparse.ArgumentParser:
    """Return the parser of ``pretrain.py``."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description="Train an encoder to predict masked word pieces, from scratch or further.",
    )
    add = parser.add_argument
    text = "text files to train on, one paragraph in each line, plain or .gz"
    add("--corpus", type=user_path, nargs="+", default=[], metavar="FILE", help=text)
    text = "text files to evaluate on; default: a share of the corpus"
    add("--heldout", type=user_path, nargs="+", default=[], metavar="FILE", help=text)
    text = f"{SCRATCH} (the default), embedded, a folder, or a name on the hub"
    add("--init", default=SCRATCH, help=text)
    text = "data set whose training pairs come second: parade, embedded, or a folder"
    add("--adapt", metavar="DATA", help=text)
    text = "recipe; default: pretrain.yaml in experiments, from scratch pretrain_embedded.yaml"
    add("--config", type=user_path, help=text)
    add("--output", type=user_path, required=True, help="folder for the encoder; made if absent")
    add("--tracking-uri", type=store_uri, help=_STORE)
    text = "change a value of the recipe, for example corpus.minutes=10"
    add("--set", type=_override, help=text, **_SET)
    add("--dry-run", action="store_true", help="print the plan and stop")
    add("--verbose", action="store_true", help=_VERBOSE)
    choice = parser.add_mutually_exclusive_group()
    text = "resume the training that was interrupted in the output folder"
    choice.add_argument("--resume", action="store_true", help=text)
    text = "remove the interrupted training and start again"
    choice.add_argument("--overwrite", action="store_true", help=text)
    return parser


def pretraining_options(args: argparse.Namespace) -> PretrainingOptions:
    """Return the options of ``pretrain.py``; the output folder is absolute."""
    output, store = _resolve(args.output), choose_store(args.tracking_uri)
    return PretrainingOptions(
        corpus=args.corpus,
        heldout=args.heldout,
        init=args.init,
        adapt=args.adapt,
        config=args.config and require_file(args.config, EXPERIMENTS),
        overrides=args.overrides or [],
        output=output,
        tracking_uri=store,
        artifacts=choose_artifacts(store, output.parent),
        cache=read_locations().cache,
        resume=args.resume,
        overwrite=args.overwrite,
    )


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError as error:  # Python 3.11 has no OSError for a link to itself
        raise OSError(f"--output: {path}: cannot be followed: {error}") from error
