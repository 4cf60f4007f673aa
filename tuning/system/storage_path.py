"""Storage paths: a file or folder that all machines of a launch reach, by path or by URI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from measures.object_stores import open_uri
from measures.passwords import first_line, hide_passwords
from tuning.system.atomic_files import DiskError, atomic_write_bytes

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_WITHOUT_FOLDERS = ("s3", "gcs", "abfs")  # object stores: an object needs no folder around it


@dataclass(frozen=True, slots=True)
class StoragePath:
    """A file or a folder: an absolute path, or a URI that pyarrow opens (s3, gs, hdfs ...).

    Settings of a file system follow a question mark in the URI:
    ``s3://bucket/folder?region=eu-north-1``.
    """

    uri: str

    def __truediv__(self, name: str) -> StoragePath:
        """Return the file or folder of this name in this folder."""
        if self.is_local:
            return StoragePath(str(Path(self.uri) / name))
        parts = urlsplit(self.uri)
        path = f"{parts.path.rstrip('/')}/{name}"
        return StoragePath(urlunsplit(parts._replace(path=path)))

    def __str__(self) -> str:
        """Return the path or URI without passwords, for messages."""
        return hide_passwords(self.uri)

    @property
    def is_local(self) -> bool:
        """Return whether this is a path on this machine, and not a URI."""
        return not is_uri(self.uri)

    def read(self) -> bytes | None:
        """Return the content of the file; None if there is no such file.

        Raises:
            OSError: If the file cannot be read.
        """
        try:
            if self.is_local:
                return Path(self.uri).read_bytes()
            system, path = _open(self.uri)
            with system.open_input_file(path) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write(self, content: bytes | memoryview) -> None:
        """Write the file; it is complete or, if writing fails, as it was before.

        Raises:
            DiskError: If the file cannot be written.
        """
        if self.is_local:
            atomic_write_bytes(Path(self.uri), content)
            return
        try:
            system, path = _open(self.uri)
            if system.type_name not in _WITHOUT_FOLDERS:
                system.create_dir(path.rpartition("/")[0], recursive=True)
            with system.open_output_stream(path) as file:  # an object appears on close
                file.write(content)
        except OSError as error:
            raise DiskError(f"{self}: cannot be written: {first_line(error)}") from error

    def remove(self) -> None:
        """Remove the file, or the folder with its content; do nothing if there is neither.

        Raises:
            DiskError: If it cannot be removed.
        """
        from pyarrow.fs import FileType

        try:
            system, path = _open(self.uri)
            kind = system.get_file_info(path).type
            if kind == FileType.File:
                system.delete_file(path)
            elif kind == FileType.Directory:
                system.delete_dir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise DiskError(f"{self}: cannot be removed: {first_line(error)}") from error

    def is_empty(self) -> bool:
        """Return whether the folder is empty or does not exist.

        Raises:
            OSError: If the folder cannot be listed.
        """
        from pyarrow.fs import FileSelector

        system, path = _open(self.uri)
        return not system.get_file_info(FileSelector(path, allow_not_found=True))


def is_uri(text: str) -> bool:
    """Return whether a text is a URI, and not a path."""
    return "://" in text


def _open(uri: str) -> tuple[FileSystem, str]:
    """Return the file system of a path or URI, and the path within it.

    Raises:
        OSError: If there is no such file system, or connecting to it fails.
    """
    if not is_uri(uri):
        return open_uri("/")[0], uri
    parts = urlsplit(uri)
    folder, _, name = parts.path.rstrip("/").rpartition("/")
    try:
        system, path = open_uri(urlunsplit(parts._replace(path=folder)))
    except (ImportError, ValueError) as error:  # an unknown scheme, or a wrong setting
        raise OSError(f"{hide_passwords(uri)}: cannot be opened: {first_line(error)}") from error
    return system, f"{path.rstrip('/')}/{name}"
