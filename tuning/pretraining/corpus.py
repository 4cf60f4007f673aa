"""Text to train an encoder on: files of paragraphs, one a line, checked as they are read."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.cleaning import STEPS, clean
from tuning.config.experiment import Cleaning
from tuning.data import parade
from tuning.data.pairs import Columns, DataError, PairTable, find_files, read_columns, read_table

_EVERY_STEP = dict.fromkeys(STEPS, True)


class CorpusError(ValueError):
    """Text that cannot be trained on; the message names file, line, rule and value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Files to train on and to score on, and a hash of their bytes.

    Without files to score on, every n-th paragraph of the others is held out, from the first.
    """

    files: tuple[Path, ...]
    heldout_files: tuple[Path, ...]
    every: int
    fingerprint: str

    def training(self) -> Iterator[str]:
        """Yield the paragraphs to train on, cleaned."""
        if self.heldout_files:
            return read_paragraphs(self.files)
        return (text for n, text in enumerate(read_paragraphs(self.files)) if n % self.every)

    def heldout(self) -> Iterator[str]:
        """Yield the paragraphs to score on, cleaned."""
        if self.heldout_files:
            return read_paragraphs(self.heldout_files)
        return (text for n, text in enumerate(read_paragraphs(self.files)) if not n % self.every)


def open_corpus(
    files: Sequence[Path], heldout_files: Sequence[Path], heldout_fraction: float
) -> Corpus:
    """Return the corpus in these files, ``.gz`` or plain.

    Raises:
        CorpusError: If a file cannot be read, or is in both lists.
    """
    both = sorted({p.resolve() for p in files} & {p.resolve() for p in heldout_files})
    if both:
        raise CorpusError(f"{both[0]}: is to be trained on and held out; it can be one of them")
    digest = hashlib.sha256()
    for path in (*files, *heldout_files):
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error
    return Corpus(
        files=tuple(files),
        heldout_files=tuple(heldout_files),
        every=max(round(1 / heldout_fraction), 2),
        fingerprint=digest.hexdigest()[:16],
    )


def read_paragraphs(files: Iterable[Path]) -> Iterator[str]:
    """Yield each line that has text, cleaned as definitions are.

    Raises:
        CorpusError: If a file is binary, not UTF-8, a damaged .gz, or has no text at all.
    """
    for path in files:
        found = False
        for number, line in enumerate(_lines(path), 1):
            text = clean(_decode(line, path, number), _EVERY_STEP)
            if text:
                found = True
                yield text
        if not found:
            raise CorpusError(f"{path}: must have text, a paragraph a line, got none")


def _lines(path: Path) -> Iterator[bytes]:
    opening: Callable[[Path], gzip.GzipFile] = gzip.open if path.suffix == ".gz" else open  # pyright: ignore[reportAssignmentType] - both yield lines of bytes
    try:
        with opening(path, "rb") as file:  # pyright: ignore[reportCallIssue]
            yield from file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path}: is no whole .gz file: {error}") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error


def _decode(line: bytes, path: Path, number: int) -> str:
    if b"\0" in line:
        raise CorpusError(f"{path}: line {number}: must be text, got a zero byte; is it binary?")
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise CorpusError(
            f"{path}: line {number}: must be UTF-8, got the byte {byte:#04x}; "
            "iconv -f ENCODING -t UTF-8 converts it"
        ) from error


_TRAIN = "train"


@dataclass(frozen=True, kw_only=True, slots=True)
class PairText:
    """Definitions, two by two in either order of each pair; held out are whole groups.

    ``pairs`` are those of the split, ``fingerprint`` is a hash of the text.
    """

    training: list[str]
    heldout: list[str]
    pairs: int
    fingerprint: str


def read_pair_text(folder: Path, heldout_fraction: float, seed: int) -> PairText:
    """Return the text of the training split in ``folder``, in random order.

    Args:
        folder: Of a data set; its other two files may be absent.
        heldout_fraction: Of the groups (of the pairs if there are none); at least one is held out.
        seed: Of the order and of the groups that are held out.

    Raises:
        DataError: If the file is missing, broken or altered, or has one group only.
    """
    path, table = _read_training_split(folder)
    groups = np.array([group or f"pair {n}" for n, group in enumerate(table.groups)])
    names = np.unique(groups)
    if len(names) < 2:
        raise DataError(f"{path}: must have two groups or more, one is held out, got {len(names)}")
    draw = np.random.default_rng([seed, 4])
    count = max(round(len(names) * heldout_fraction), 1)
    held_out = np.isin(groups, draw.choice(names, count, replace=False))
    training = _definitions(table, np.flatnonzero(~held_out), draw)
    heldout = _definitions(table, np.flatnonzero(held_out), draw)
    return PairText(
        training=training,
        heldout=heldout,
        pairs=len(groups),
        fingerprint=hashlib.sha256(repr((training, heldout)).encode()).hexdigest()[:16],
    )


def _read_training_split(folder: Path) -> tuple[Path, PairTable]:
    cleaning = Cleaning()
    if not parade.is_parade(folder):
        path = find_files(folder, (_TRAIN,))[_TRAIN]
        return path, read_table(path, read_columns(folder), cleaning)
    path = parade.files_in(folder)[_TRAIN]
    altered = parade.find_altered(folder, (path.name,))
    if altered:
        raise DataError(altered)
    return path, read_table(path, Columns.model_validate(parade.COLUMNS), cleaning)


def _definitions(table: PairTable, rows: np.ndarray, draw: np.random.Generator) -> list[str]:
    """Return first and second of these pairs, then of the same pairs swapped, shuffled."""
    both = [(table.first[row], table.second[row]) for row in rows]
    both += [(second, first) for first, second in both]
    return [text for number in draw.permutation(len(both)) for text in both[number]]
