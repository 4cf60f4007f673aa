"""The reader of a data set of sentence pairs: three splits, verified line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from models.cleaning import clean
from tuning.config.experiment import Cleaning, StrictModel
from tuning.config.yaml_reader import describe, read_yaml
from tuning.data import parade
from tuning.data.table_files import DataError, read_parquet, read_text

SPLITS = ("train", "validation", "test")
_ENDINGS = ("tsv", "csv", "parquet")
_PROBLEMS_SHOWN = 5


class Columns(StrictModel):
    """The names of a data set's columns; a ``columns.yaml`` beside the data can change them."""

    first: str = Field("first", description="column of the first text")
    second: str = Field("second", description="column of the second text")
    label: str = Field("label", description="column of the labels; 1: paraphrase, 0: none")
    group: str | None = Field(None, description="column of what a pair is about")
    votes: str | None = Field(None, description="column of the votes for paraphrase")
    voters: int = Field(3, ge=1, description="number of annotators who voted on each pair")


@dataclass(frozen=True, kw_only=True, slots=True)
class PairTable:
    """The N pairs of one split; every attribute has N values.

    Args:
        first: First text of each pair, cleaned.
        second: Second text of each pair, cleaned.
        labels: 1 for a paraphrase, else 0; int64 (N,).
        votes: Share of annotators who said paraphrase, in [0, 1]; float32 (N,), NaN if unknown.
        groups: Topic of each pair; empty if unknown.
        lines: Line of each pair in its file, from 2; row from 1 in a Parquet file.
    """

    first: list[str]
    second: list[str]
    labels: np.ndarray
    votes: np.ndarray
    groups: list[str]
    lines: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class PairData:
    """A data set.

    Args:
        splits: Pairs by split: train, validation and test.
        files: File that each split was read from.
        fingerprint: Hash of all pairs after cleaning, as 16 hexadecimal digits.
        voters: Number of annotators who voted on each pair; 0 if votes are unknown.
    """

    splits: dict[str, PairTable]
    files: dict[str, Path]
    fingerprint: str
    voters: int = 0

    @property
    def has_votes(self) -> bool:
        """Return whether the votes of every pair are known."""
        return not any(np.isnan(table.votes).any() for table in self.splits.values())


def read_pairs(folder: Path, cleaning: Cleaning) -> PairData:
    """Return the verified and cleaned data set in ``folder``.

    Raises:
        DataError: If a file is missing, broken or altered; the message has file, line, rule and
            value.
    """
    if parade.is_parade(folder):
        columns, files = Columns.model_validate(parade.COLUMNS), parade.files_in(folder)
        altered = parade.find_altered(folder)
        if altered:
            raise DataError(altered)
    else:
        columns, files = read_columns(folder), find_files(folder)
    splits = {split: read_table(files[split], columns, cleaning) for split in SPLITS}
    voters = columns.voters if columns.votes else 0
    return PairData(splits=splits, files=files, fingerprint=_fingerprint(splits), voters=voters)


def read_columns(folder: Path) -> Columns:
    """Return the names of the columns in the files of ``folder``.

    Raises:
        DataError: If its ``columns.yaml`` is wrong; the message has all problems.
    """
    path = folder / "columns.yaml"
    if not path.is_file():
        return Columns.model_validate({})
    content, problems = read_yaml(path)
    try:
        columns = Columns.model_validate(content)
    except ValidationError as error:
        problems += describe(error, list(Columns.model_fields))
    else:
        if not problems:
            return columns
    raise DataError("\n".join([f"{path}:", *(f"  - {problem}" for problem in problems)]))


def find_files(folder: Path, splits: Iterable[str] = SPLITS) -> dict[str, Path]:
    """Return the file of each of these splits.

    Raises:
        DataError: If a split has no file, or more than one.
    """
    files = {}
    for split in splits:
        paths = [folder / f"{split}.{ending}" for ending in _ENDINGS]
        found = [path for path in paths if path.is_file()]
        if len(found) != 1:
            problem = f"both {found[0].name} and {found[1].name} exist" if found else "is missing"
            raise DataError(
                f"{folder}/{split}.tsv, .csv or .parquet: {problem}; a data folder has exactly "
                "one file for each of train, validation and test, or the three PARADE files"
            )
        files[split] = found[0]
    return files


def read_table(path: Path, columns: Columns, cleaning: Cleaning) -> PairTable:
    """Return the verified and cleaned rows of one file.

    Raises:
        DataError: If the file is broken; the message has line, rule and value of the first
            problems.
    """
    header, rows = read_parquet(path) if path.suffix == ".parquet" else read_text(path)
    roles = columns.model_dump(exclude={"voters"}, exclude_none=True)
    absent = [name for name in roles.values() if name not in header]
    if absent:
        raise DataError(
            f"{path}: line 1: no column {', '.join(map(repr, absent))}, got "
            f"{', '.join(map(repr, header))}; {path.parent / 'columns.yaml'} can name others"
        )
    positions = {role: header.index(name) for role, name in roles.items()}
    steps = cleaning.model_dump()
    pairs, problems = [], []
    for line, row in rows:
        pair = {role: row[position] for role, position in positions.items()}
        for role in ("first", "second"):
            pair[role] = clean(pair[role], steps)
        problems += [f"{path}: line {line}: {text}" for text in _row_problems(pair, columns)]
        if len(problems) > _PROBLEMS_SHOWN:
            break
        pairs.append((line, pair))
    if problems:
        more = ["... and more"] if len(problems) > _PROBLEMS_SHOWN else []
        raise DataError("\n".join(problems[:_PROBLEMS_SHOWN] + more))
    return _build_table(path, pairs, columns)


def _row_problems(pair: dict[str, str], columns: Columns) -> list[str]:
    """Return the problems of one pair, its values given by role."""
    names = columns.model_dump()
    problems = [
        f"{names[role]}: must not be empty" for role in ("first", "second") if not pair[role]
    ]
    if pair["label"] not in ("0", "1"):
        problems.append(f"{columns.label}: must be 0 or 1, got {pair['label']!r}")
    votes = pair.get("votes", "0")
    if not (votes.isascii() and votes.isdigit() and int(votes) <= columns.voters):
        rule = f"must be a whole number from 0 to {columns.voters}"
        problems.append(f"{columns.votes}: {rule}, got {votes!r}")
    return problems


def _build_table(
    path: Path, pairs: list[tuple[int, dict[str, str]]], columns: Columns
) -> PairTable:
    labels = np.array([int(pair["label"]) for _, pair in pairs], dtype=np.int64)
    if len(np.unique(labels)) < 2:
        found = f"only {labels[0]}" if len(labels) else "no row"
        raise DataError(f"{path}: {columns.label}: must have both 0 and 1, got {found}")
    votes = [int(pair["votes"]) / columns.voters if columns.votes else np.nan for _, pair in pairs]
    return PairTable(
        first=[pair["first"] for _, pair in pairs],
        second=[pair["second"] for _, pair in pairs],
        labels=labels,
        votes=np.array(votes, dtype=np.float32),
        groups=[pair.get("group", "") for _, pair in pairs],
        lines=[line for line, _ in pairs],
    )


def _fingerprint(splits: dict[str, PairTable]) -> str:
    digest = hashlib.sha256()
    for split, table in splits.items():
        columns = (table.first, table.second, table.labels, table.votes, table.groups)
        for row in zip(*columns, strict=True):
            digest.update(repr((split, *map(str, row))).encode())
    return digest.hexdigest()[:16]
