"""Lines of a text file in UTF-8, packed by gzip or not, and the error of files that are not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path

from models.weight_files import find_pointer

PACKED = ".gz"
_GZIP = b"\x1f\x8b"
_UTF16, _UTF32 = (
    f"is {name}, must be UTF-8; iconv -f {name} -t UTF-8 OLD > NEW converts it"
    for name in ("UTF-16", "UTF-32")
)
# How files begin that are not what their name says, and the way out.
_OTHERS = {
    b"\xff\xfe\0\0": _UTF32,  # before UTF-16, whose mark it begins with
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
    _GZIP: f"is packed by gzip; its name must end in {PACKED}",
    b"PK\x03\x04": "is an Excel workbook or a zip archive; save it as CSV in UTF-8, or unpack it",
    b"PAR1": "is a Parquet file; its name must end in .parquet",
}


class DataError(ValueError):
    """A data set that cannot be used; the message has file, line, rule and value."""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number of each line, from 1, and the line with its end.

    Lines end in a line feed; in a file without any, in a carriage return. A byte order mark is
    left out.

    Raises:
        DataError: If the file cannot be read, or is not UTF-8.
    """
    try:
        refuse_pointers([path])
        with _open(path) as file:
            for number, line in enumerate(_split(file), start=1):
                yield number, _decode(path, number, line)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {unreadable(error)}") from error


def refuse_pointers(paths: Iterable[Path]) -> None:
    """Raise a DataError if one of these files is a pointer of Git LFS, an OSError if absent."""
    pointer = find_pointer(paths)
    if pointer:
        raise DataError(pointer)


def unreadable(error: Exception) -> str:
    """Return in words why a file could not be read."""
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def shown(text: str) -> str:
    """Return a value of a file in quotes, without what is too long for a message."""
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}..."


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.name.lower().endswith(PACKED) else path.open("rb")


def _split(file: BufferedIOBase) -> Iterator[bytes]:
    first = file.readline()
    if first.endswith(b"\n"):
        yield first
        yield from file
    else:
        yield from first.splitlines(keepends=True)


def _decode(path: Path, number: int, line: bytes) -> str:
    other = next((words for mark, words in _OTHERS.items() if line.startswith(mark)), None)
    if number == 1 and other:
        if line.startswith(_GZIP) and path.name.lower().endswith(PACKED):
            other = "is packed by gzip twice; unpack it once"
        raise DataError(f"{path}: {other}")
    if number == 1 and b"\0" in line:
        raise DataError(f"{path}: must be text, got a zero byte; is it UTF-16 or binary?")
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: line {number}: must be UTF-8, got the byte {line[error.start]:#04x}; "
            "if it is Latin-1 or Windows-1252, iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW helps"
        ) from error
