"""Guards downloads from the hub: shown, whole, continued, or an error in words in time."""

import hashlib
import io
import json
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from tests.tuning.conftest import (
    COMMIT,
    MODEL,
    Answer,
    Host,
    body,
    cut_off,
    delayed,
    dripping,
    in_turn,
    serve_model,
    stalled,
    status,
)
from tuning.download.download_causes import DownloadError
from tuning.download.hub_download import download_encoder, find_cached_encoder
from tuning.system.project import ROOT

SAFE = "model.safetensors"
FILES = {
    "config.json": b'{"model_type": "distilbert"}',
    "tokenizer.json": b'{"version": "1.0"}' * 1000,
    SAFE: random.Random(0).randbytes(200_000),
    "pytorch_model.bin": b"a pickle",
    "README.md": b"a card",
}
WEIGHTS = f"/{MODEL}/resolve/{COMMIT}/{SAFE}"
DIGEST = hashlib.sha256(FILES[SAFE]).hexdigest()
HEADERS = {"ETag": f'"{DIGEST}"', "X_Repo_Commit": COMMIT}
PATIENCE = 30.0  # seconds without a byte where none is to run out, on a busy machine


@pytest.fixture
def hub(host: Host, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a hub that has one model; the local cache is empty."""
    assert not cache.exists()
    monkeypatch.setenv("HF_ENDPOINT", host.url)
    serve_model(host, FILES, {SAFE: len(FILES[SAFE])})
    return host


def blob(cache: Path, ending: str = "") -> Path:
    return cache / f"models--{MODEL.replace('/', '--')}/blobs/{DIGEST}{ending}"


def test_a_name_that_no_model_can_have_is_not_in_the_cache(cache: Path) -> None:
    assert not cache.exists()
    assert find_cached_encoder("no model: a/b") is None


@pytest.mark.slow
def test_an_encoder_arrives_complete_under_its_commit_and_stays(hub: Host) -> None:
    assert find_cached_encoder(MODEL) is None
    output = io.StringIO()
    folder = download_encoder(MODEL, PATIENCE, Console(file=output, width=120))
    assert folder.name == COMMIT
    found = sorted(path.name for path in folder.iterdir())
    assert found == ["config.json", SAFE, "tokenizer.json"]
    for path in folder.iterdir():
        assert path.read_bytes() == FILES[path.name]
    assert output.getvalue() == f"{MODEL}: downloading 218.0 kB\n"
    asked = len(hub.requests)
    assert find_cached_encoder(MODEL) == folder
    assert len(hub.requests) == asked


@pytest.mark.slow
def test_a_slow_hub_may_take_longer_than_the_wait_for_a_byte(hub: Host) -> None:
    hub.answers[WEIGHTS] = dripping(FILES[SAFE], 12, 0.5, **HEADERS)
    assert (download_encoder(MODEL, 4) / SAFE).read_bytes() == FILES[SAFE]


@pytest.mark.slow
def test_several_answers_may_take_longer_than_the_wait_for_one(hub: Host) -> None:
    for path, answer in hub.answers.items():
        if path.startswith("/api/"):
            hub.answers[path] = delayed(answer, 1.2)
    assert find_cached_encoder(MODEL) is None
    assert download_encoder(MODEL, 3).name == COMMIT


@pytest.mark.slow
def test_two_at_the_same_time_download_the_weights_once(hub: Host) -> None:
    hub.answers[WEIGHTS] = dripping(FILES[SAFE], 10, 0.5, **HEADERS)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(download_encoder, [MODEL, MODEL], [4, 4]))
    assert folders[0] == folders[1]
    assert hub.requests.count(f"GET {WEIGHTS}") == 1


@pytest.mark.slow
@pytest.mark.parametrize("ranges", [True, False])
def test_weights_that_were_begun_are_continued_the_next_time(
    hub: Host, cache: Path, ranges: bool
) -> None:
    half, whole = FILES[SAFE][:100_000], hub.answers[WEIGHTS]
    hub.answers[WEIGHTS] = stalled(20, half, **HEADERS)
    with pytest.raises(DownloadError, match="the Hugging Face hub sent nothing for 3 seconds"):
        download_encoder(MODEL, 3)
    assert find_cached_encoder(MODEL) is None
    begun = blob(cache, ".incomplete").stat().st_size
    assert 0 < begun <= len(half)
    hub.answers[WEIGHTS] = whole if ranges else body(FILES[SAFE], **HEADERS)
    assert (download_encoder(MODEL, PATIENCE) / SAFE).read_bytes() == FILES[SAFE]
    assert hub.ranges == [f"bytes={begun}-"]
    assert not blob(cache, ".incomplete").exists()


@pytest.mark.slow
def test_a_begun_part_that_is_damaged_is_fetched_from_its_beginning(
    hub: Host, cache: Path
) -> None:
    blob(cache).parent.mkdir(parents=True)
    blob(cache, ".incomplete").write_bytes(b"x" * 1000)
    assert (download_encoder(MODEL, PATIENCE) / SAFE).read_bytes() == FILES[SAFE]
    assert hub.requests.count(f"GET {WEIGHTS}") == 2


@pytest.mark.slow
def test_a_connection_that_is_cut_is_continued_at_once(hub: Host) -> None:
    cut = cut_off(FILES[SAFE][:100_000])
    hub.answers[WEIGHTS] = in_turn(cut, hub.answers[WEIGHTS])
    assert (download_encoder(MODEL, PATIENCE) / SAFE).read_bytes() == FILES[SAFE]
    assert hub.ranges


HERE = "the Hugging Face hub at 127.0.0.1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(404), f"{HERE} has no model {MODEL}, or it is private: check the name, or set"),
        (
            status(401, X_Error_Code="RepoNotFound"),
            f"{HERE} has no model {MODEL}, or it is private: check the name, or set HF_TOKEN",
        ),
        (
            status(403, X_Error_Code="GatedRepo"),
            f"{MODEL} is gated: accept its terms on its page, and set HF_TOKEN",
        ),
        (status(403), f"{HERE} refuses access to {MODEL}: set HF_TOKEN to a token that may"),
        (status(429), f"{HERE} has had too many requests (HTTP 429): wait some minutes"),
        (status(500), f"{HERE} has a fault of its own (HTTP 500): try again later"),
        (stalled(20), "the Hugging Face hub sent nothing for 3 seconds"),
    ],
    ids=["absent", "hidden", "gated", "refused", "busy", "broken", "silent"],
)
def test_a_hub_that_refuses_is_reported_in_words(hub: Host, answer: Answer, sentence: str) -> None:
    for path in hub.answers:
        if path.startswith("/api/"):
            hub.answers[path] = answer
    with pytest.raises(DownloadError) as caught:
        download_encoder(MODEL, 3)
    assert str(caught.value).startswith(sentence)


@pytest.mark.slow
def test_no_server_and_offline_mode_are_told_apart(
    hub: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(DownloadError, match=f"{HERE} refuses the connection"):
        download_encoder(MODEL, PATIENCE)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match=f"HF_HUB_OFFLINE is set, and {MODEL} is not in the"):
        download_encoder(MODEL, PATIENCE)


@pytest.mark.slow
def test_a_proxy_that_is_down_and_a_failing_encryption_are_told_apart(
    hub: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("http:", "https:"))
    with pytest.raises(DownloadError, match=f"the secure connection to {HERE} fails"):
        download_encoder(MODEL, PATIENCE)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with pytest.raises(DownloadError, match="the proxy does not let us through to the Hugging"):
        download_encoder(MODEL, PATIENCE)


@pytest.mark.slow
def test_weights_that_fail_are_never_taken_from_the_cache(hub: Host) -> None:
    hub.answers[WEIGHTS] = status(500)
    with pytest.raises(DownloadError, match=r"has a fault of its own \(HTTP 500\)"):
        download_encoder(MODEL, PATIENCE)
    hub.answers[WEIGHTS] = body(b"x" * len(FILES[SAFE]), **HEADERS)
    with pytest.raises(DownloadError, match=f"sent {SAFE} damaged: its checksum differs"):
        download_encoder(MODEL, PATIENCE)
    assert find_cached_encoder(MODEL) is None


@pytest.mark.slow
def test_weights_that_the_disk_cannot_hold_are_not_begun(hub: Host) -> None:
    serve_model(hub, FILES, {SAFE: 10**17})
    sentence = r"cannot be written: No space left on device; 1000000000\d+.0 MB are needed and"
    with pytest.raises(DownloadError, match=sentence):
        download_encoder(MODEL, PATIENCE)
    assert f"GET {WEIGHTS}" not in hub.requests


@pytest.mark.slow
def test_a_cache_that_cannot_be_a_folder_is_named(
    hub: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", "/dev/null")
    with pytest.raises(DownloadError, match=r"^/dev/null.*: cannot be written: Not a directory"):
        download_encoder(MODEL, PATIENCE)


@pytest.mark.slow
def test_a_repository_without_an_encoder_says_what_it_lacks(hub: Host) -> None:
    files = {name: FILES[name] for name in ("config.json", "README.md")}
    serve_model(hub, files, {})
    with pytest.raises(DownloadError, match="is no encoder that can be read: it needs config"):
        download_encoder(MODEL, PATIENCE)
    assert not any("resolve" in request for request in hub.requests)


@pytest.mark.slow
def test_a_pickle_alone_and_weights_in_pieces_are_downloaded_whole(hub: Host) -> None:
    piece = "model-00001-of-00001.safetensors"
    index = json.dumps({"weight_map": {"a": piece}}).encode()
    files = {**FILES, f"{SAFE}.index.json": index, piece: FILES[SAFE]}
    del files[SAFE]
    serve_model(hub, files, {piece: len(FILES[SAFE])})
    folder = download_encoder(MODEL, PATIENCE)
    assert (folder / piece).read_bytes() == FILES[SAFE]
    assert not (folder / "pytorch_model.bin").exists()
    assert find_cached_encoder(MODEL) == folder
    (folder / piece).unlink()
    assert find_cached_encoder(MODEL) is None


@pytest.mark.slow
def test_ctrl_c_ends_the_process_and_keeps_what_has_come(hub: Host, cache: Path) -> None:
    whole = hub.answers[WEIGHTS]
    hub.answers[WEIGHTS] = stalled(60, FILES[SAFE][:100_000], **HEADERS)
    words = ["--encoder", MODEL, "--data", "embedded", "--dry-run"]
    program = subprocess.Popen(
        [sys.executable, str(ROOT / "tuning/run_grid.py"), *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    part = blob(cache, ".incomplete")
    for _ in range(600):
        if part.exists() and part.stat().st_size:
            break
        time.sleep(0.1)
    children = psutil.Process(program.pid).children()
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors.count("\n")) == (130, 1)
    assert children
    assert not psutil.wait_procs(children, timeout=10)[1]
    begun = part.stat().st_size
    hub.answers[WEIGHTS] = whole
    assert (download_encoder(MODEL, PATIENCE) / SAFE).read_bytes() == FILES[SAFE]
    assert hub.ranges == [f"bytes={begun}-"]
