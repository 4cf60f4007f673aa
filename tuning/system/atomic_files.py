"""Write files that are whole or absent, and say what a disk that is full or closed lacks."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUMS = "sha256.json"


class DiskError(OSError):
    """A disk that is full or cannot be written; the message has the path and the space needed."""


class DamagedError(ValueError):
    """A file that is not as it was written; the message names it."""


@contextmanager
def atomic_write(path: Path, size: int | None = None) -> Iterator[Path]:
    """Give a place beside a file to write to; move it there when it is on disk.

    Args:
        path: Of the file; its folder is made if absent.
        size: In bytes, for the user of a disk that is full.

    Raises:
        DiskError: If the disk is full or cannot be written; nothing is left behind.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise DiskError(space_error(path, size, error)) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def atomic_write_bytes(path: Path, content: bytes) -> None:
    """Write a file that is whole or absent.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    with atomic_write(path, len(content)) as beside:
        beside.write_bytes(content)


def atomic_copy(source: Path, target: Path) -> None:
    """Copy a file, to be whole or absent.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    with atomic_write(target, source.stat().st_size) as beside:
        shutil.copyfile(source, beside)


def space_error(path: Path, size: int | None, error: OSError) -> str:
    """Return a sentence on a file that could not be written: its path, its size, what there is.

    Args:
        path: Of the file.
        size: In bytes, if it is known.
        error: What the system said.
    """
    text = f"{path}: cannot be written: {error.strerror or error}"
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return text
    existing = next(parent for parent in path.absolute().parents if parent.is_dir())
    needed = "" if size is None else f"{_megabytes(size)} are needed and "
    return f"{text}; {needed}{_megabytes(shutil.disk_usage(existing).free)} are free"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in a folder into it, as the last file."""
    sums = {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}
    text = json.dumps(sums, indent=1) + "\n"
    (folder / SUMS).write_text(text, encoding="utf-8")


def verify_checksums(folder: Path) -> None:
    """Check that a folder is as it was sealed.

    Raises:
        DamagedError: If a file is missing or was altered, or the folder was never sealed.
    """
    try:
        sums = json.loads((folder / SUMS).read_bytes())
        wrong = [
            n for n, s in sums.items() if not (folder / n).is_file() or _sha256(folder / n) != s
        ]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DamagedError(f"{folder / SUMS}: cannot be read: {error}") from error
    if wrong:
        raise DamagedError(f"{folder / wrong[0]}: is missing or was altered")


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
