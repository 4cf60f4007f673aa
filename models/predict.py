"""Predict whether two texts say the same: python -m models.predict "one" "two" [--model MODEL]."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from measures.addresses import ROOT, AddressError, choose_store, store_uri, user_path
from measures.command_line import run_command
from measures.objective import flags_of
from measures.passwords import hide_passwords
from models.pair_checks import PairError, list_problems
from models.pair_files import (
    ENDINGS,
    check_form,
    check_output,
    read_pairs,
    replacing,
    write_answers,
)
from models.table_files import DataError

if TYPE_CHECKING:
    from models.predictor import Predictor

_RUN_ID = re.compile("[0-9a-f]{32}")


def main() -> int:
    """Answer for the texts or the file; return 0, or 2 if the model or a pair cannot be used."""
    parser = build_parser()
    args = parser.parse_args()
    if (args.file is None) != (len(args.texts) == 2) or len(args.texts) not in (0, 2):
        parser.error(f"give two texts, or --file PAIRS; got {len(args.texts)} texts")
    if (args.file is None) != (args.output is None):
        parser.error(f"--file and --output need each other; --output ends in {', '.join(ENDINGS)}")
    from models.checkpoint import CheckpointError  # imports torch, which takes seconds
    from models.encoder_files import EncoderError

    try:
        if args.file is None:
            _answer(_load(args), *args.texts)
        else:
            _answer_file(args)
    except (CheckpointError, DataError, EncoderError, PairError, OSError) as error:
        print(f"predict.py: error: {hide_passwords(str(error))}", file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m models.predict",
        description="Predict whether two texts say the same.",
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="the two texts to compare")
    text = "folder of a saved model, a trial or a launch, or a name in MLflow: models:/bonus_f1@"
    text += "champion, runs:/ID/model, or the id of a run; default: the newest champion"
    parser.add_argument("--model", type=_model_name, help=text)
    text = "MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project's folder"
    parser.add_argument("--tracking-uri", type=store_uri, help=text)
    text = "pairs in any form that training reads, with the columns first and second"
    parser.add_argument("--file", type=user_path, help=text)
    text = f"file for the pairs with their probabilities; ends in {', '.join(ENDINGS)}"
    parser.add_argument("--output", type=user_path, help=text)
    return parser


def _model_name(text: str) -> str:
    """Return the value of ``--model``; raise an ``AddressError`` if it is empty."""
    if not text.strip():
        raise AddressError("must not be empty; leave the option out for the newest champion")
    return text


def _load(args: argparse.Namespace) -> Predictor:
    """Return the predictor of the model that the arguments name, and print which it is."""
    from models.checkpoint import AbsentEncoderError, CheckpointError
    from models.predictor import Predictor

    store = choose_store(args.tracking_uri)
    with tempfile.TemporaryDirectory() as scratch:
        name, folder = _find_model(args.model, store, Path(scratch))
        try:
            predictor = Predictor(folder, [ROOT / "embedded/encoder"])
        except AbsentEncoderError as error:
            from models.logged_models import fetch_encoder

            try:
                encoder = fetch_encoder(error.fingerprint, store, Path(scratch))
            except OSError as reason:
                command = ["python", "-m", "models.predict", "--model", str(args.model or name)]
                raise CheckpointError(
                    f"{name or folder}: its encoder is in no folder 'encoder' near it; {reason}; "
                    f"name the store of its launch: {shlex.join(command)} --tracking-uri URI"
                ) from error
            predictor = Predictor(folder, [encoder])
    print(_describe(name, predictor))
    return predictor


def _find_model(model: str | None, store: str, scratch: Path) -> tuple[str | None, Path]:
    """Return the name of the model in MLflow, None for a folder's, and the folder of its files."""
    folder = None if model is None else user_path(model)
    if folder is not None and folder.is_dir():
        return None, folder
    from models.logged_models import ModelError, fetch_model

    if model is not None and ":/" not in model and not _RUN_ID.fullmatch(model):
        raise ModelError(
            f"--model: {model!r} is no folder, and no name in MLflow: models:/NAME@champion, "
            "runs:/ID/model, or the id of a run"
        )
    return fetch_model(model, store, scratch)


def _describe(name: str | None, predictor: Predictor) -> str:
    """Return the line that says which model answers."""
    saved, encoder = predictor.saved, predictor.card["encoder"]
    count, flags = len(saved.members), flags_of(predictor.card.get("metrics", {}))
    parts = [
        f"Model: {name or saved.folder}",
        f"the best of {saved.among} by validation F1" if saved.among > 1 else "",
        f"the mean of {count} classifiers" if count > 1 else "",
        f"encoder {encoder.get('name') or 'unnamed'} ({encoder['fingerprint']})",
        f"flagged as {' and '.join(flags)}: do not trust it" if flags else "",
    ]
    return ", ".join(part for part in parts if part)


def _answer(predictor: Predictor, first: str, second: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from models.attended_words import attended_words

    probability = float(predictor.predict([first], [second])[0])
    decision = "say the same" if probability >= predictor.threshold else "do not say the same"
    console = Console(highlight=False)
    console.print(
        f"They {decision}: probability {probability:.3f}, threshold {predictor.threshold:.3f}"
    )
    attended = predictor.attend(first, second)
    if attended is None:
        return
    table = Table("word", "attends to", "weight", title="What the model looked at most")
    for each in attended_words(*attended):
        table.add_row(each.word, each.to or "", f"{each.weight:.2f}")
    console.print(table)


def _answer_file(args: argparse.Namespace) -> None:
    """Write the pairs of a file with their probabilities and decisions.

    Raises:
        DataError: If the file cannot be read, or the output cannot hold its columns.
        PairError: If a text is empty, or longer than the encoder takes.
        OSError: If the output cannot be written; that is known before anything is computed.
    """
    from rich.progress import Progress

    check_output(args.output, args.file)
    with replacing(args.output) as beside:
        pairs = read_pairs(args.file)
        check_form(beside, pairs)
        predictor = _load(args)
        try:
            with Progress(transient=True) as bars:
                task = bars.add_task("rows", total=None)
                firsts, seconds = pairs.texts("first"), pairs.texts("second")
                found = predictor.predict(firsts, seconds, lambda rows: bars.advance(task, rows))
        except PairError as error:
            raise DataError(list_problems(error.problems, pairs.name_of)) from error
        said = found >= predictor.threshold
        write_answers(beside, pairs, list(zip(found.tolist(), said.tolist(), strict=True)))
    print(f"{args.output}: {len(found)} pairs, {int(said.sum())} say the same")


if __name__ == "__main__":
    sys.exit(run_command(main))
