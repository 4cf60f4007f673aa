"""Text for pretraining: files of paragraphs, or the training pairs of a data set."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.cleaning import STEPS, clean
from models.columns import Columns, read_columns
from models.table_files import DataError
from tuning.config.experiment import Cleaning
from tuning.data import parade
from tuning.data.data_files import find_files
from tuning.data.pairs import PairTable, read_table

_EVERY_STEP = dict.fromkeys(STEPS, True)  # of the cleaning
_TRAIN = "train"


class CorpusError(ValueError):
    """Text that cannot be used for training; the message names file, line, rule and value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Files of text to train on and to score on.

    Args:
        files: Files to train on.
        heldout_files: Files to score on; if there are none, paragraphs of ``files`` are held out.
        every: Distance between the held-out paragraphs of ``files``; the first one is held out.
        fingerprint: Hash of the bytes of all files.
    """

    files: tuple[Path, ...]
    heldout_files: tuple[Path, ...]
    every: int
    fingerprint: str

    def training(self) -> Iterator[str]:
        """Yield the paragraphs to train on, cleaned."""
        if self.heldout_files:
            return read_paragraphs(self.files)
        return (text for number, text in self._numbered() if number % self.every)

    def heldout(self) -> Iterator[str]:
        """Yield the paragraphs to score on, cleaned."""
        if self.heldout_files:
            return read_paragraphs(self.heldout_files)
        return (text for number, text in self._numbered() if number % self.every == 0)

    def _numbered(self) -> Iterator[tuple[int, str]]:
        return enumerate(read_paragraphs(self.files))


@dataclass(frozen=True, kw_only=True, slots=True)
class PairText:
    """The definitions of a training split, each pair in both orders.

    Args:
        training: Definitions to train on; the two of a pair follow each other.
        heldout: Definitions to score on, of whole groups that are not in ``training``.
        pairs: Number of pairs in the split.
        fingerprint: Hash of the text.
    """

    training: list[str]
    heldout: list[str]
    pairs: int
    fingerprint: str


def open_corpus(
    files: Sequence[Path], heldout_files: Sequence[Path], heldout_fraction: float
) -> Corpus:
    """Return the corpus in these files, plain or ``.gz``.

    Args:
        files: Files to train on.
        heldout_files: Files to score on; may be empty.
        heldout_fraction: Share of the paragraphs that is held out if ``heldout_files`` is empty.

    Raises:
        CorpusError: If a file cannot be read, or is in both lists.
    """
    both = sorted({path.resolve() for path in files} & {path.resolve() for path in heldout_files})
    if both:
        raise CorpusError(
            f"{both[0]}: must be a file to train on or a held-out file, got it as both; remove it "
            "from --corpus or from --heldout"
        )
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
    """Yield each line that has text, cleaned like the definitions of a data set.

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
            raise CorpusError(f"{path}: must have text, one paragraph per line, got none")


def _lines(path: Path) -> Iterator[bytes]:
    opening: Callable[[Path], gzip.GzipFile] = gzip.open if path.suffix == ".gz" else open  # pyright: ignore[reportAssignmentType] - both yield lines of bytes
    try:
        with opening(path, "rb") as file:  # pyright: ignore[reportCallIssue]
            yield from file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path}: must be a complete .gz file: {error}") from error
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


def read_pair_text(folder: Path, heldout_fraction: float, seed: int) -> PairText:
    """Return the text of the training split in ``folder``, in random order.

    Args:
        folder: Folder of a data set; its validation and test files are not opened.
        heldout_fraction: Share of the groups that is held out, at least one; of the pairs if the
            data set has no groups.
        seed: Seed of the order and of the choice of held-out groups.

    Raises:
        DataError: If the file is missing, broken or altered, or has a single group.
    """
    path, table = _read_training_split(folder)
    groups = np.array([group or f"pair {row}" for row, group in enumerate(table.groups)])
    names = np.unique(groups)
    if len(names) < 2:
        raise DataError(
            f"{path}: must have at least two groups, because one is held out, got {len(names)}"
        )
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
    """Return the definitions of these pairs in both orders; the pairs are shuffled."""
    both = [(table.first[row], table.second[row]) for row in rows]
    both += [(second, first) for first, second in both]
    return [text for number in draw.permutation(len(both)) for text in both[number]]
