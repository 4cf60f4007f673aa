"""The command lines of grids, searches and pretraining; --help needs no more than this."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from measures.addresses import store_uri, user_path
from tuning.system.project import ROOT
from tuning.system.storage_path import StoragePath, is_uri

EXPERIMENTS = ROOT / "experiments"
_VERBOSE = "add to notices and errors what the libraries reported"
_SET: dict[str, Any] = {"action": "append", "metavar": "KEY=VALUE", "dest": "overrides"}
_STORE = "MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project's folder"
_OF_THE_FILE = "default: that of the YAML file, which is auto where it names none"
_RESULTS = "default: results of the project"
_SCRATCH = "scratch"  # SCRATCH in tuning/pretraining/plan.py


class _HintingParser(argparse.ArgumentParser):
    """A parser that names the nearest option beside one that does not exist."""

    def error(self, message: str) -> NoReturn:
        """End the command with code 2 and a sentence on what is wrong."""
        unknown, _, rest = message.partition(": ")
        if unknown == "unrecognized arguments":
            from difflib import get_close_matches  # an error alone needs it

            name = rest.split()[0].partition("=")[0]
            if near := get_close_matches(name, self._option_string_actions, n=1):
                message += f"; did you mean {near[0]}?"
        super().error(message)


def build_parser(description: str, default: str) -> argparse.ArgumentParser:
    """Return the parser of the options that grids and searches share.

    Args:
        description: Sentence for ``--help``.
        default: Name of the file in ``experiments`` that runs if none is given.
    """
    parser = _HintingParser(allow_abbrev=False, description=description)
    add = parser.add_argument
    add("config", type=user_path, nargs="?", default=EXPERIMENTS / default,
        help=f"YAML file of the experiment; default: experiments/{default}")  # fmt: skip
    text = "auto, parade, embedded, or a folder with the files train, validation and test"
    add("--data", help=f"{text}; {_OF_THE_FILE}")
    text = "auto, minilm, embedded, a folder, or a name on the Hugging Face hub"
    add("--encoder", help=f"{text}; {_OF_THE_FILE}")
    text = "folder for results and caches, or a URI (s3://...) that all nodes of a cluster reach"
    add("--output", type=folder_or_uri, default=ROOT / "results", help=f"{text}; {_RESULTS}")
    text = "folder for the driver's journal and caches if --output is a URI"
    add("--local", type=user_path, default=ROOT / "results", help=f"{text}; {_RESULTS}")
    text = "log what trials save as its place in --output, in place of a copy"
    add("--by-reference", action="store_true", help=text)
    add("--tracking-uri", type=store_uri, help=_STORE)
    text = "HOST:PORT of a Ray cluster; auto: that of this machine; default: a session of its own"
    add("--address", help=text)
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


def add_search_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that only a search has; return the parser."""
    text = "RDB URL of the Optuna study; default: optuna.db in the output folder"
    parser.add_argument("--storage", type=store_uri, help=text)
    text = "draw and train for the search of this experiment that another driver runs"
    parser.add_argument("--join", action="store_true", help=text)
    return parser


def folder_or_uri(text: str) -> Path | StoragePath:
    """Return the value of ``--output``: a Path for a folder, a StoragePath for any other URI."""
    if text.startswith("file://"):
        from urllib.request import url2pathname  # takes a tenth of the time of --help

        return Path(url2pathname(text.removeprefix("file://")))
    return StoragePath(text.rstrip("/")) if is_uri(text) else user_path(text)


def _override(text: str) -> str:
    """Return the value of ``--set``; a shell cuts a list at its blanks if it is not in quotes."""
    if any(text.count(start) > text.count(end) for start, end in ("[]", "{}")):
        key = text.partition("=")[0]
        rule = f"is not closed; in quotes the shell does not cut it: --set '{key}=[1, 2]'"
        raise argparse.ArgumentTypeError(f"{text}: {rule}")
    return text


def build_pretraining_parser() -> argparse.ArgumentParser:
    """Return the parser of ``pretrain.py``."""
    parser = _HintingParser(
        allow_abbrev=False,
        description="Train an encoder to predict masked word pieces, from scratch or further.",
    )
    add = parser.add_argument
    text = "text files to train on, one paragraph in each line, plain or .gz"
    add("--corpus", type=user_path, nargs="+", default=[], metavar="FILE", help=text)
    text = "text files to evaluate on; default: a share of the corpus"
    add("--heldout", type=user_path, nargs="+", default=[], metavar="FILE", help=text)
    text = f"{_SCRATCH} (the default), embedded, a folder, or a name on the hub"
    add("--init", default=_SCRATCH, help=text)
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
