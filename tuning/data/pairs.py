"""The reader of a data set of sentence pairs: three splits, verified line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.cleaning import changes, clean
from models.columns import Columns, find_columns, read_columns
from models.table_files import DataError, place_of, read_rows
from models.text_lines import shown
from tuning.config.experiment import Cleaning
from tuning.data import parade
from tuning.data.data_files import SPLITS, find_files
from tuning.data.labels import label_advice, label_problem, label_words

_PROBLEMS_SHOWN = 5


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
        files: What each split was read from: a file, a folder, or ``NAME-*-of-00002.parquet``.
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


def read_table(path: Path, columns: Columns, cleaning: Cleaning) -> PairTable:
    """Return the verified and cleaned rows of one split.

    Args:
        path: What ``find_files`` found for it.
        columns: Names of its columns, and how they are written.
        cleaning: Steps that clean the texts.

    Raises:
        DataError: If the file is broken; the message has line, rule and value of the first
            problems.
    """
    rows = _read_roles(path, columns)
    words, steps = label_words(columns), cleaning.model_dump()
    cells: dict[str, list[str]] = {role: [] for role in columns.roles()}
    lines, problems = [], []
    for line, raw in rows:
        pair = raw | {side: clean(raw[side], steps) for side in ("first", "second")}
        found = [
            *_text_problems(raw, pair, columns, steps),
            *_number_problems(raw, columns, words),
        ]
        problems += [f"{place_of(path, line)}: {problem}" for problem in found]
        if len(problems) > _PROBLEMS_SHOWN:
            break
        lines.append(line)
        for role, cell in pair.items():
            cells[role].append(cell)
    if problems:
        more = ["... and more"] if len(problems) > _PROBLEMS_SHOWN else []
        advice = _advise(path, columns, words)
        raise DataError("\n".join([*problems[:_PROBLEMS_SHOWN], *more, *advice]))
    return _build_table(path, lines, cells, columns)


def _read_roles(path: Path, columns: Columns) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the cells of each row of a file by their roles."""
    roles = columns.roles()
    header, rows = read_rows(
        path, quoting=columns.quoting, separator=columns.separator, texts=roles.values()
    )
    positions = find_columns(path, header, roles)
    for line, row in rows:
        yield line, {role: row[position] for role, position in positions.items()}


def _text_problems(
    raw: dict[str, str], pair: dict[str, str], columns: Columns, steps: dict[str, bool]
) -> Iterator[str]:
    """Yield the problems of a pair's texts, as read and after cleaning, given by role."""
    for role, name in columns.roles(("first", "second")).items():
        if pair[role]:
            continue
        if not raw[role].strip():
            yield f"{name}: must not be empty"
            continue
        step = changes(raw[role], steps)[-1]
        yield (
            f"{name}: cleaning left nothing of {shown(raw[role])}; remove the line, or keep such "
            f"texts with --set cleaning.{step}=false"
        )


def _number_problems(
    raw: dict[str, str], columns: Columns, words: dict[str, int]
) -> Iterator[str]:
    """Yield the problems of a pair's label and votes."""
    if raw["label"] not in words:
        yield f"{columns.label}: {label_problem(raw['label'], words)}"
    votes = raw.get("votes", "0")
    whole = votes.isascii() and votes.isdigit() and len(votes) < 10
    if not (whole and int(votes) <= columns.voters):
        rule = f"must be a whole number from 0 to {columns.voters}"
        yield f"{columns.votes}: {rule}, got {shown(votes)}"


def _advise(path: Path, columns: Columns, words: dict[str, int]) -> list[str]:
    """Return the way out if a file's labels are other words than those that are known."""
    found: set[str] = set()
    with suppress(DataError):  # of a later row
        found.update(raw["label"] for _, raw in _read_roles(path, columns))
    advice = None if columns.labels or found - {""} <= words.keys() else label_advice(found)
    return [f"{path}: {columns.label}: {advice}"] if advice else []


def _build_table(
    path: Path, lines: list[int], cells: dict[str, list[str]], columns: Columns
) -> PairTable:
    words = label_words(columns)
    labels = np.array([words[word] for word in cells["label"]], dtype=np.int64)
    if len(np.unique(labels)) < 2:
        found = f"only {labels[0]}" if len(labels) else "no row"
        raise DataError(f"{path}: {columns.label}: must have both 0 and 1, got {found}")
    unknown = [np.nan] * len(lines)
    votes = [int(votes) / columns.voters for votes in cells.get("votes", [])]
    return PairTable(
        first=cells["first"],
        second=cells["second"],
        labels=labels,
        votes=np.array(votes if columns.votes else unknown, dtype=np.float32),
        groups=cells.get("group", [""] * len(lines)),
        lines=lines,
    )


def _fingerprint(splits: dict[str, PairTable]) -> str:
    digest = hashlib.sha256()
    for split, table in splits.items():
        columns = (table.first, table.second, table.labels, table.votes, table.groups)
        for row in zip(*columns, strict=True):
            digest.update(repr((split, *map(str, row))).encode())
    return digest.hexdigest()[:16]
