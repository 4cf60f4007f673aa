"""Text to train an encoder on: files of paragraphs, one a line, checked as they are read."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.cleaning import STEPS, clean

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
