"""File systems of URIs, as pyarrow opens them, that give up within a minute without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_PATIENCE = 45  # seconds that Google's store is tried; S3 gives up within seconds by itself


def open_uri(uri: str) -> tuple[FileSystem, str]:
    """Return the file system of a URI and the path within it, as ``FileSystem.from_uri`` does.

    ``retry_limit_seconds`` in the URI of a Google store sets another limit.

    Raises:
        OSError, ValueError, ImportError: As of ``FileSystem.from_uri``.
    """
    from pyarrow.fs import FileSystem  # takes a fifth of a second, and a local path does without

    parts = urlsplit(uri)
    if parts.scheme in {"gs", "gcs"} and "retry_limit_seconds" not in parse_qs(parts.query):
        query = f"{parts.query}&retry_limit_seconds={_PATIENCE}".lstrip("&")
        uri = parts._replace(query=query).geturl()
    return FileSystem.from_uri(uri)
