"""From the command lines of grids, searches and pretraining to experiments and options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from measures.addresses import choose_store, sqlite_url
from models.encoder_files import EncoderError
from models.table_files import DataError
from tuning.config.experiment import ConfigError, Experiment
from tuning.config.loader import load_experiment
from tuning.config.search_space import SearchSettings
from tuning.config.settings_file import require_file
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import SourceError, read_locations
from tuning.download.download_causes import DownloadError
from tuning.parsers import EXPERIMENTS
from tuning.pretraining.plan import PretrainingOptions
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_folder import LaunchError, LaunchOptions, choose_artifacts

# Errors that the commands report as one sentence, with exit code 2.
USER_ERRORS = (ConfigError, DataError, DownloadError, EncoderError, SourceError, OSError)


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


def prepare_experiment(
    args: argparse.Namespace, experiment: Experiment, console: Console
) -> Prepared:
    """Return the experiment with its data and encoder, found and checked as the options say."""
    return prepare(experiment, read_locations(), strict=args.strict, console=console)


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
        LaunchError: If a reference to the output would hold a password.
    """
    remote = isinstance(args.output, StoragePath)
    if args.by_reference and remote and str(args.output) != args.output.uri:
        rule = "must have no password in its URI, which everyone who reads the log would see"
        way_out = "put it into the environment, or leave --by-reference out"
        raise LaunchError(f"--output: {args.output}: {rule}; {way_out}")
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
        join=getattr(args, "join", False),
        by_reference=args.by_reference,
    )


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
