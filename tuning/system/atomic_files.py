"""Atomic writes of files, checksums of folders, and errors that name a full or unwritable disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUMS = "sha256.json"  # the file of a folder's checksums, within the folder


class DiskError(OSError):
    """A disk that is full or not writable; the message has the path and the space needed."""


class DamagedError(ValueError):
    """A file that is missing or was altered after it was written; the message names it."""


@contextmanager
def atomic_write(path: Path, size: int | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to; it replaces ``path`` when the block ends.

    Other processes see the old file or the complete new one, and never a part. If the block
    raises, the old file stays and the temporary one is removed.

    Args:
        path: File to write; its folder is made if absent.
        size: Size of the new file in bytes, for the message about a full disk.

    Raises:
        DiskError: If the disk is full or not writable.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except DiskError:  # of another file, in the block
        raise
    except OSError as error:
        raise DiskError(space_error(path, size, error)) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that were killed while writing, at any depth.

    Those of processes that live are left.
    """
    for path in folder.rglob(".*.part"):
        process = path.name.split(".")[-2]
        if process.isdecimal() and not _lives(int(process)):
            path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def atomic_write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file that is complete or, if writing fails, as it was before.

    Raises:
        DiskError: If the disk is full or not writable.
    """
    with atomic_write(path, len(content)) as beside:
        beside.write_bytes(content)


def atomic_copy(source: Path, target: Path) -> None:
    """Copy a file; the copy is complete or, if copying fails, the target is as it was before.

    Raises:
        DiskError: If the disk is full or not writable.
        OSError: If there is no such source.
    """
    with atomic_write(target, source.stat().st_size) as beside:
        shutil.copyfile(source, beside)


def space_error(path: Path, size: int | None, error: OSError) -> str:
    """Return the message for a failed write: path, reason and, on a full disk, the space there is.

    Args:
        path: File that was to be written.
        size: Size of that file in bytes, or None if it is unknown.
        error: Error that the operating system raised.
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
    """Write the SHA-256 sums of all files in a folder into its ``sha256.json``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    sums = {str(path.relative_to(folder)): _sha256(path) for path in files}
    (folder / SUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")


def verify_checksums(folder: Path) -> None:
    """Check that every file that ``write_checksums`` listed is there and unchanged.

    Raises:
        DamagedError: If a file is missing or was altered, or the folder has no readable list.
    """
    try:
        sums = json.loads((folder / SUMS).read_bytes())
        wrong = [name for name, expected in sums.items() if not _has_sum(folder / name, expected)]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DamagedError(f"{folder / SUMS}: cannot be read: {error}") from error
    if wrong:
        raise DamagedError(f"{folder / wrong[0]}: is missing or was altered")


def _has_sum(path: Path, expected: object) -> bool:
    return path.is_file() and _sha256(path) == expected


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
