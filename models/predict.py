"""Predict whether two texts say the same: python -m models.predict "one" "two" [--model MODEL]."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from measures.addresses import choose_store, store_uri, user_path
from measures.command_line import run_command
from measures.passwords import first_line, hide_passwords

if TYPE_CHECKING:
    from models.predictor import Predictor

_READERS = {".csv": "read_csv", ".tsv": "read_table", ".parquet": "read_parquet"}


def main() -> int:
    """Answer for the texts or the file; return 0, or 2 if the model or a pair cannot be used."""
    parser = build_parser()
    args = parser.parse_args()
    if (args.file is None) != (len(args.texts) == 2) or len(args.texts) not in (0, 2):
        parser.error(f"give two texts, or --file PAIRS; got {len(args.texts)} texts")
    if (args.file is None) != (args.output is None):
        parser.error("--file and --output belong together")
    from models.checkpoint import CheckpointError
    from models.encoder_files import EncoderError
    from models.predictor import PairError, Predictor  # imports torch, which takes seconds

    try:
        with tempfile.TemporaryDirectory() as scratch:
            predictor = Predictor(_find_model(args, Path(scratch)))
        if args.file is None:
            _answer(predictor, *args.texts)
        else:
            _answer_file(predictor, args.file, args.output)
    except (CheckpointError, EncoderError, PairError, OSError) as error:
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
    text = "a folder of a saved model, or its name in MLflow, as models:/bonus_f1@champion"
    parser.add_argument("--model", help=f"{text}; default: the newest champion of the store")
    text = "MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project's folder"
    parser.add_argument("--tracking-uri", type=store_uri, help=text)
    text = "pairs as .csv, .tsv or .parquet with the columns first and second"
    parser.add_argument("--file", type=user_path, help=text)
    text = "CSV file to write: the pairs with their probabilities"
    parser.add_argument("--output", type=user_path, help=text)
    return parser


def _find_model(args: argparse.Namespace, scratch: Path) -> Path:
    if args.model is not None and ":/" not in args.model:
        return user_path(args.model)
    from models.served import fetch_model

    return fetch_model(args.model, choose_store(args.tracking_uri), scratch)


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


def _answer_file(predictor: Predictor, path: Path, output: Path) -> None:
    """Write a CSV file: the columns of ``path``, and each row's probability and decision.

    Raises:
        OSError: If ``path`` has no known suffix, cannot be read, or lacks a column.
        PairError: If a text is empty, or longer than the encoder takes.
    """
    import pandas as pd
    from rich.progress import Progress

    if path.suffix not in _READERS:
        raise OSError(f"{path}: must end in {', '.join(_READERS)}, got {path.suffix!r}")
    try:
        frame = getattr(pd, _READERS[path.suffix])(path)
    except (ValueError, OSError) as error:
        raise OSError(f"{path}: cannot be read: {first_line(error)}") from error
    absent = [name for name in ("first", "second") if name not in frame]
    if absent:
        columns = ", ".join(map(str, frame.columns))
        raise OSError(f"{path}: no column {', '.join(absent)}, got {columns}")
    firsts, seconds = (list(frame[name].fillna("").astype(str)) for name in ("first", "second"))
    with Progress(transient=True) as bars:
        task = bars.add_task("rows", total=None)
        found = predictor.predict(firsts, seconds, lambda rows: bars.advance(task, rows))
    frame["probability"], frame["paraphrase"] = found, found >= predictor.threshold
    frame.to_csv(output, index=False)
    print(f"{output}: {len(frame)} pairs, {int(frame['paraphrase'].sum())} say the same")


if __name__ == "__main__":
    sys.exit(run_command(main))
