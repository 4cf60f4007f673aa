"""Guards that a store which nobody reaches is an error within a minute, and not a long wait."""

import socket
from pathlib import Path

import pytest

from measures import object_stores
from measures.object_stores import open_uri
from measures.references import SAVED_AT, ReferenceGoneError, fetch_referenced
from tuning.system.atomic_files import DiskError
from tuning.system.storage_path import StoragePath


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def google(port: int) -> str:
    return f"gs://anonymous@bucket/folder?scheme=http&endpoint_override=localhost:{port}"


def test_a_google_store_without_a_network_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(object_stores, "_PATIENCE", 1)
    uri = google(closed_port())
    with pytest.raises(DiskError, match=r"bucket/folder/x\S*: cannot be written: .*connect"):
        (StoragePath(uri) / "x").write(b"1")
    with pytest.raises(ReferenceGoneError, match=r"cannot be read: .*connect"):
        fetch_referenced({SAVED_AT: uri}, "1", "model", tmp_path)


@pytest.mark.parametrize(("query", "seconds"), [("", 45), ("&retry_limit_seconds=7", 7)])
def test_a_google_store_is_tried_for_less_than_a_minute_or_as_its_uri_says(
    query: str, seconds: int
) -> None:
    _, (options,) = open_uri(google(1) + query)[0].__reduce__()
    assert options["retry_time_limit"].total_seconds() == seconds
