"""Three splits from one file of pairs: python -m tuning.data.split FILE --output FOLDER.

Pairs of one group, with the same text, or with nearly the same text are never apart.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from measures.addresses import script, user_path
from measures.command_line import run_command
from models.columns import Columns, read_columns
from models.strict_yaml import describe
from models.table_files import DataError, read_rows
from tuning.config.experiment import Cleaning
from tuning.data.data_files import SHARD, SPLITS
from tuning.data.division import Components, divide, find_components
from tuning.data.pairs import PairTable, read_pairs, read_table
from tuning.data.split_card import SplitOptions, describe_largest, make_card
from tuning.system.atomic_files import DiskError, space_error

CARD = "split.yaml"
_MARKS = '\t\r\n"'  # of cells that not every reader of TSV takes as they are


def main() -> int:
    """Return 0 if the splits were written, 2 if file, options or folder do not allow it."""
    parser = build_parser()
    try:
        options = read_options(parser.parse_args())
        card = split_file(options)
    except (DataError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: error: {error}\n")
        return 2
    print(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=99), end="")
    command = ["python", script("tuning/run_grid.py"), "--data", str(options.output)]
    print(f"Next: {shlex.join(command)}")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m tuning.data.split",
        description="Make the splits train, validation and test from one file of pairs.",
    )
    add = parser.add_argument
    text = "file of the pairs; a columns.yaml beside it names its columns"
    add("file", type=user_path, help=text)
    text = "folder for the splits and their card; it must be absent or empty"
    add("--output", type=user_path, required=True, help=text)
    for option in ("--first", "--second", "--label", "--group"):
        field = Columns.model_fields[option.removeprefix("--")]
        add(option, metavar="COLUMN", help=field.description)
    text, default = "share of the pairs for", "default: %(default)s"
    add("--validation", type=float, default=0.15, help=f"{text} validation; {default}")
    add("--test", type=float, default=0.15, help=f"{text} test; {default}")
    add(
        "--seed",
        type=int,
        default=0,
        help=f"random seed; another one makes other splits; {default}",
    )
    return parser


def read_options(args: argparse.Namespace) -> SplitOptions:
    """Return the options of the command, checked.

    Raises:
        DataError: If the shares are impossible, the file is missing, or its columns.yaml is wrong.
    """
    fractions = (1 - args.validation - args.test, args.validation, args.test)
    if not all(0 < fraction < 1 for fraction in fractions):
        rule = "must be above 0 and leave pairs for train"
        raise DataError(f"--validation, --test: {rule}, got {args.validation} and {args.test}")
    if args.seed < 0:
        raise DataError(f"--seed: must be at least 0, got {args.seed}")
    if SHARD.search(args.file.name) and "-00000-of-00001." not in args.file.name:
        way_out = "pandas.read_parquet reads their folder, and to_parquet writes one file"
        raise DataError(f"{args.file}: must be one file of pairs, got shards of one; {way_out}")
    if not args.file.is_file():
        found = "a folder" if args.file.is_dir() else "no such file"
        raise DataError(f"{args.file}: must be one file of pairs, got {found}")
    named = {name: getattr(args, name) for name in ("first", "second", "label", "group")}
    given = {name: column for name, column in named.items() if column is not None}
    content = read_columns(args.file.parent).model_dump() | given
    try:
        columns = Columns.model_validate(content)
    except ValidationError as error:
        raise DataError("; ".join(describe(error, content, list(Columns.model_fields)))) from error
    return SplitOptions(
        file=args.file,
        output=args.output,
        columns=columns,
        fractions=fractions,
        seed=args.seed,
    )


def split_file(options: SplitOptions) -> dict[str, Any]:
    """Write the three splits, their columns and their card; return the card.

    They appear in the folder all at once, after they were read back.

    Raises:
        DataError: If the file is broken, the folder is not empty, or no such splits exist.
        DiskError: If the folder cannot be written.
    """
    output = options.output
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DataError(f"--output: {output}: must be absent or an empty folder; name another")
    table = read_table(options.file, options.columns, Cleaning())
    components = find_components(table)
    chosen = divide(components.of_pairs, table.labels, options.fractions, options.seed)
    _check(table, components, chosen, options)
    card = make_card(table, components, chosen, options)
    try:
        _write(card, chosen, options)
    except OSError as error:
        raise DiskError(space_error(output, None, error)) from error
    return card


def _write(card: Mapping[str, Any], chosen: np.ndarray, options: SplitOptions) -> None:
    """Write the splits beside their folder, read them back, and move them there."""
    output = options.output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        beside = Path(folder) / "splits"
        beside.mkdir()
        write_splits(options, chosen, beside)
        of_file = {"quoting", "separator"}  # and not of the files that are written
        changed = options.columns.model_dump(exclude_defaults=True, exclude=of_file)
        if changed:
            _write_yaml(beside / "columns.yaml", changed, f"Columns of {options.file.name}")
        _write_yaml(beside / CARD, card, "How these splits were made: python -m tuning.data.split")
        read_pairs(beside, Cleaning())
        beside.replace(output)


def _check(
    table: PairTable, components: Components, chosen: np.ndarray, options: SplitOptions
) -> None:
    """Raise a DataError if a split would not have both labels."""
    for number, split in enumerate(SPLITS):
        labels = np.unique(table.labels[chosen == number])
        if len(labels) < 2:
            found = f"only the label {labels[0]}" if len(labels) else "no pair"
            raise DataError(
                f"{options.file}: {split} would have {found}: {table.labels.sum()} of "
                f"{len(table.labels)} pairs are paraphrases, and "
                f"{describe_largest(table, components)}; other shares or another --seed may help"
            )


def write_splits(options: SplitOptions, chosen: np.ndarray, folder: Path) -> None:
    """Write the rows of the file into one file for each split, all cells as they were read.

    They are TSV files, which have no quoting; CSV if a cell has a tab, a line break or a quotation
    mark, which another reader of TSV could take for quoting.

    Args:
        options: Options of the command.
        chosen: Split of each row, int (N,).
        folder: Folder to write to.

    Raises:
        DataError: If a file would not read as the same cells.
    """
    columns = options.columns
    header, numbered = read_rows(
        options.file, quoting=columns.quoting, separator=columns.separator
    )
    rows = [row for _, row in numbered]
    plain = not any(mark in cell for row in (header, *rows) for cell in row for mark in _MARKS)
    for number, split in enumerate(SPLITS):
        own = [header, *(rows[row] for row in np.flatnonzero(chosen == number))]
        path = folder / f"{split}.{'tsv' if plain else 'csv'}"
        with path.open("w", newline="", encoding="utf-8") as target:
            if plain:
                target.writelines("\t".join(row) + "\n" for row in own)
            else:
                csv.writer(target).writerows(own)
        _check_written(path, own, options.file)


def _check_written(path: Path, rows: list[list[str]], source: Path) -> None:
    """Raise a DataError if a file does not read as these rows."""
    try:
        header, found = read_rows(path)
        same = [header, *(row for _, row in found)] == rows
        reason = "" if same else "its cells would read as others"
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ")
    if reason:
        raise DataError(f"{source}: cannot be written as {path.name}: {reason}; change the cell")


def _write_yaml(path: Path, content: Mapping[str, Any], title: str) -> None:
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=99)
    path.write_text(f"# {title}\n{text}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_command(main))
