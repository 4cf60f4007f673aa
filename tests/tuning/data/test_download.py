"""Guards downloads: complete and verified, or an error in words, within a bounded wait."""

import errno
import hashlib
import threading
import time
from pathlib import Path

import pytest

from tests.tuning.data.conftest import Host, body, cut_off, stalled, status
from tuning.data.download import (
    DownloadError,
    download_encoder,
    download_files,
    find_cached_encoder,
)
from tuning.system.atomic_files import DiskError
from tuning.system.project import EMBEDDED

CONTENT = b"a\tb\n" * 500
SUMS = {"pairs.txt": hashlib.sha256(CONTENT).hexdigest()}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "somebody/small"


def test_files_arrive_complete_and_are_not_requested_again(host: Host, tmp_path: Path) -> None:
    host.answers["/x/pairs.txt"] = body(CONTENT)
    for _ in range(2):
        download_files(f"{host.url}/x", SUMS, tmp_path / "new", 5)
    assert (tmp_path / "new/pairs.txt").read_bytes() == CONTENT
    assert host.requests == ["GET /x/pairs.txt"]


def test_a_damaged_file_is_fetched_again(host: Host, tmp_path: Path) -> None:
    host.answers["/pairs.txt"] = body(CONTENT)
    (tmp_path / "pairs.txt").write_bytes(b"damaged")
    download_files(host.url, SUMS, tmp_path, 5)
    assert (tmp_path / "pairs.txt").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (status(404), "pairs.txt: HTTP 404 Not Found"),
        (status(500), "pairs.txt: HTTP 500 Internal Server Error"),
        (body(b"other"), r"pairs.txt: sha256 must be \w+, got \w+"),
        (cut_off(CONTENT), "pairs.txt: cut off after 2000 of 4000 bytes"),
        (stalled(4), "pairs.txt: timed out"),
    ],
    ids=["absent", "broken", "altered", "cut off", "stalled"],
)
def test_a_failed_download_says_why_and_leaves_nothing(
    host: Host, tmp_path: Path, answer: object, message: str
) -> None:
    host.answers["/pairs.txt"] = answer  # pyright: ignore[reportArgumentType] - from the table above
    with pytest.raises(DownloadError, match=message):
        download_files(host.url, SUMS, tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_disk_that_is_full_leaves_no_part_of_a_file(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    host.answers["/pairs.txt"] = body(CONTENT)
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(DiskError, match=r"pairs.txt: cannot be written: No space left"):
        download_files(host.url, SUMS, tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_slow_host_is_given_up_at_the_deadline(host: Host, tmp_path: Path) -> None:
    def drip(handler: object) -> None:
        handler.send_response(200)  # pyright: ignore[reportAttributeAccessIssue]
        handler.end_headers()  # pyright: ignore[reportAttributeAccessIssue]
        for _ in range(30):
            handler.wfile.write(b"x")  # pyright: ignore[reportAttributeAccessIssue]
            time.sleep(0.2)

    host.answers["/pairs.txt"] = drip
    started = time.monotonic()
    with pytest.raises(DownloadError, match="stopped at the time limit"):
        download_files(host.url, SUMS, tmp_path, 1)
    assert time.monotonic() - started < 5


def test_a_host_without_a_server_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="Connection refused"):
        download_files("http://127.0.0.1:1", SUMS, tmp_path, 1)


def test_several_at_the_same_time_download_once(host: Host, tmp_path: Path) -> None:
    host.answers["/pairs.txt"] = body(CONTENT)
    arguments = (host.url, SUMS, tmp_path, 5)
    threads = [threading.Thread(target=download_files, args=arguments) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert host.requests == ["GET /pairs.txt"]


@pytest.fixture
def hub(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a hub that serves the embedded encoder and its card; the local cache is empty."""
    monkeypatch.setenv("HF_ENDPOINT", host.url)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    files = sorted((EMBEDDED / "encoder").iterdir())
    siblings = ",".join(f'{{"rfilename": "{path.name}"}}' for path in files)
    info = f'{{"id": "{NAME}", "modelId": "{NAME}", "sha": "{COMMIT}", "siblings": [{siblings}]}}'
    for revision in ("", "/revision/main", f"/revision/{COMMIT}"):
        host.answers[f"/api/models/{NAME}{revision}"] = body(
            info.encode(), Content_Type="application/json"
        )
    for path in files:
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        for revision in ("main", COMMIT):
            host.answers[f"/{NAME}/resolve/{revision}/{path.name}"] = body(
                content, ETag=tag, X_Repo_Commit=COMMIT
            )
    tree = ",".join(
        f'{{"type": "file", "path": "{p.name}", "size": {p.stat().st_size}, "oid": "0"}}'
        for p in files
    )
    host.answers[f"/api/models/{NAME}/tree/{COMMIT}"] = body(
        f"[{tree}]".encode(), Content_Type="application/json"
    )
    return host


@pytest.mark.slow
def test_an_encoder_arrives_complete_under_its_commit_and_stays(hub: Host) -> None:
    assert find_cached_encoder(NAME) is None
    folder = download_encoder(NAME, 10)
    assert folder.name == COMMIT
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (folder / name).read_bytes() == (EMBEDDED / "encoder" / name).read_bytes()
    assert not any("CARD.md" in request or ".svg" in request for request in hub.requests)
    asked = len(hub.requests)
    assert find_cached_encoder(NAME) == folder
    assert len(hub.requests) == asked


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (status(404), f"{NAME}: .*404"),
        (status(500), f"{NAME}: "),
        (stalled(20), "sent almost nothing for 3 seconds"),
    ],
    ids=["absent", "broken", "stalled"],
)
def test_a_hub_that_fails_is_reported_within_a_bounded_wait(
    hub: Host, answer: object, message: str
) -> None:
    for path in hub.answers:
        if path.startswith("/api/"):
            hub.answers[path] = answer  # pyright: ignore[reportArgumentType] - from the table above
    started = time.monotonic()
    with pytest.raises(DownloadError, match=message):
        download_encoder(NAME, 3)
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_an_encoder_without_weights_is_never_taken_from_the_cache(hub: Host) -> None:
    for path in hub.answers:
        if path.endswith("model.safetensors"):
            hub.answers[path] = status(500)
    with pytest.raises(DownloadError, match=f"{NAME}: "):
        download_encoder(NAME, 3)
    assert find_cached_encoder(NAME) is None
