"""Guards downloads over HTTP: whole and verified, continued, or an error in words in time."""

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from tests.tuning.conftest import (
    Answer,
    Host,
    body,
    cut_off,
    dripping,
    in_turn,
    ranged,
    stalled,
    status,
)
from tuning.download.download import download_files
from tuning.download.download_causes import DownloadError
from tuning.system.atomic_files import DiskError
from tuning.system.project import ROOT

CONTENT = b"a\tb\n" * 500
HALF = CONTENT[:1000]
SUMS = {"pairs.txt": hashlib.sha256(CONTENT).hexdigest()}
PART = ".pairs.txt.part"


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
    ("answer", "sentence", "kept"),
    [
        (status(404), "127.0.0.1 has no such file (HTTP 404)", b""),
        (status(403), "127.0.0.1 refuses access (HTTP 403)", b""),
        (status(429), "127.0.0.1 has had too many requests (HTTP 429): wait some minutes", b""),
        (status(500), "127.0.0.1 has a fault of its own (HTTP 500): try again later", b""),
        (body(b"other"), "pairs.txt was altered: its checksum is not the known one", b""),
        (cut_off(HALF), "127.0.0.1 broke the connection off", HALF),
        (stalled(4), "127.0.0.1 sent nothing for 0.5 seconds", b""),
        (
            stalled(4, HALF),
            "127.0.0.1 sent nothing for 0.5 seconds (1.0 kB are kept for the next try)",
            HALF,
        ),
    ],
    ids=["absent", "refused", "busy", "broken", "altered", "cut off", "silent", "stalled"],
)
def test_a_failed_download_says_why_and_keeps_what_has_come(
    host: Host, tmp_path: Path, answer: Answer, sentence: str, kept: bytes
) -> None:
    host.answers["/pairs.txt"] = answer
    with pytest.raises(DownloadError) as caught:
        download_files(host.url, SUMS, tmp_path, 0.5)
    assert str(caught.value) == sentence
    assert caught.value.detail is not None
    assert f"{host.url}/pairs.txt" in caught.value.detail
    assert not (tmp_path / "pairs.txt").exists()
    part = tmp_path / PART
    assert (part.read_bytes() if part.exists() else b"") == kept


def test_a_slow_host_may_take_longer_than_the_wait_for_a_byte(host: Host, tmp_path: Path) -> None:
    host.answers["/pairs.txt"] = dripping(CONTENT, 8, 0.25)
    download_files(host.url, SUMS, tmp_path, 1)
    assert (tmp_path / "pairs.txt").read_bytes() == CONTENT


@pytest.mark.parametrize("answer", [ranged(CONTENT), body(CONTENT)], ids=["ranges", "none"])
def test_what_was_begun_is_continued_the_next_time(
    host: Host, tmp_path: Path, answer: Answer
) -> None:
    host.answers["/pairs.txt"] = in_turn(stalled(3, HALF), answer)
    with pytest.raises(DownloadError):
        download_files(host.url, SUMS, tmp_path, 0.3)
    download_files(host.url, SUMS, tmp_path, 5)
    assert (tmp_path / "pairs.txt").read_bytes() == CONTENT
    assert host.ranges == ["bytes=1000-"]
    assert not (tmp_path / PART).exists()


def test_a_cut_is_continued_at_once(host: Host, tmp_path: Path) -> None:
    host.answers["/pairs.txt"] = in_turn(cut_off(HALF), ranged(CONTENT))
    download_files(host.url, SUMS, tmp_path, 5)
    assert (tmp_path / "pairs.txt").read_bytes() == CONTENT
    assert host.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("part", [b"x" * 1000, b"x" * 3000], ids=["damaged", "longer"])
def test_a_begun_part_that_is_damaged_is_fetched_from_its_beginning(
    host: Host, tmp_path: Path, part: bytes
) -> None:
    host.answers["/pairs.txt"] = ranged(CONTENT)
    (tmp_path / PART).write_bytes(part)
    download_files(host.url, SUMS, tmp_path, 5)
    assert (tmp_path / "pairs.txt").read_bytes() == CONTENT
    assert len(host.requests) == 2


def test_a_part_that_is_whole_is_verified_and_taken(host: Host, tmp_path: Path) -> None:
    host.answers["/pairs.txt"] = ranged(CONTENT)
    (tmp_path / PART).write_bytes(CONTENT)
    download_files(host.url, SUMS, tmp_path, 5)
    assert (tmp_path / "pairs.txt").read_bytes() == CONTENT
    assert host.ranges == ["bytes=2000-"]


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


def test_a_folder_that_cannot_be_made_is_named(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"file/below: cannot be written: Not a directory"):
        download_files(host.url, SUMS, tmp_path / "file/below", 5)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("pairs", "pairs: must begin with http:// or https://"),
        ("file:///etc", "file:///etc: must begin with http:// or https://"),
        ("http://[::1", "the download from http://[::1/pairs.txt failed"),
        ("http://127.0.0.1:1/\u00e9", "the download from 127.0.0.1 failed"),
    ],
)
def test_an_address_that_cannot_be_asked_is_named(tmp_path: Path, url: str, sentence: str) -> None:
    with pytest.raises(DownloadError) as caught:
        download_files(url, SUMS, tmp_path, 5)
    assert str(caught.value) == sentence


def test_a_length_that_is_no_number_is_reported(host: Host, tmp_path: Path) -> None:
    host.answers["/pairs.txt"] = status(200, Content_Length="many")
    with pytest.raises(DownloadError, match=r"the download from 127.0.0.1 failed"):
        download_files(host.url, SUMS, tmp_path, 5)


def test_a_host_without_a_server_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        download_files("http://127.0.0.1:1", SUMS, tmp_path, 5)
    assert str(caught.value).startswith("127.0.0.1 refuses the connection (a firewall")
    assert "ConnectionRefusedError" in str(caught.value.detail)


def test_several_at_the_same_time_download_once_and_wait_while_bytes_come(
    host: Host, tmp_path: Path
) -> None:
    host.answers["/pairs.txt"] = dripping(CONTENT, 8, 0.25)
    failed = []

    def download() -> None:
        try:
            download_files(host.url, SUMS, tmp_path, 1)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=download) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert host.requests == ["GET /pairs.txt"]
    assert not failed


def test_another_process_that_receives_nothing_is_not_waited_for(tmp_path: Path) -> None:
    sentence = "another process downloads it and received nothing for 0.5 seconds"
    with FileLock(tmp_path / ".lock"), pytest.raises(DownloadError, match=sentence):
        download_files("http://127.0.0.1:1", SUMS, tmp_path, 0.5)


def test_a_download_shows_its_size_and_what_is_here_already(host: Host, tmp_path: Path) -> None:
    output = io.StringIO()
    host.answers["/pairs.txt"] = ranged(CONTENT)
    (tmp_path / PART).write_bytes(HALF)
    download_files(host.url, SUMS, tmp_path, 5, Console(file=output, width=120))
    expected = "pairs.txt: downloading 2.0 kB, 1.0 kB of it are here already\n"
    assert output.getvalue() == expected


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_come(host: Host, tmp_path: Path) -> None:
    host.answers["/PARADE_train.txt"] = stalled(60, HALF)
    words = ["--encoder", "embedded", "--data", "parade", "--dry-run"]
    program = subprocess.Popen(
        [sys.executable, str(ROOT / "tuning/run_grid.py"), *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PARADE_URL": host.url, "XDG_CACHE_HOME": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for _ in range(600):
        parts = list(tmp_path.rglob(".PARADE_train.txt.part"))
        if parts and parts[0].stat().st_size:
            break
        time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors.count("\n")) == (130, 1)
    (part,) = tmp_path.rglob(".PARADE_train.txt.part")
    assert part.read_bytes() == HALF
