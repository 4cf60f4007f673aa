"""A local web server in place of the hub and of the host of the data."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = "somebody/small"


class Host:
    """A server of answers by path; other paths get 404.

    ``requests`` lists what was requested, ``ranges`` the ranges that were asked for with GET.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.ranges: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                host.requests.append(f"{self.command} {path}")
                if self.command == "GET" and "Range" in self.headers:
                    host.ranges.append(self.headers["Range"])
                with suppress(ConnectionError):  # of a client that has been killed
                    host.answers.get(path, status(404))(self)

            do_HEAD = do_GET  # noqa: N815 - the library's name

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        serve = self.server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()


def body(content: bytes, **headers: str) -> Answer:
    """Return an answer of these bytes; in names of headers ``_`` stands for ``-``."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)

    return answer


def ranged(content: bytes, **headers: str) -> Answer:
    """Return an answer of the part of these bytes that is asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if not start:
            body(content, **headers)(handler)
            return
        handler.send_response(206 if start < len(content) else 416)
        end = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.send_header("Content-Range", end if start < len(content) else "bytes */0")
        handler.send_header("Content-Length", str(max(len(content) - start, 0)))
        handler.end_headers()
        handler.wfile.write(content[start:])

    return answer


def dripping(content: bytes, pieces: int, pause: float, **headers: str) -> Answer:
    """Return an answer that sends these bytes in pieces, with a pause in seconds before each."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "HEAD":
            body(content, **headers)(handler)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        size = -(-len(content) // pieces)
        for start in range(0, len(content), size):
            time.sleep(pause)
            handler.wfile.write(content[start : start + size])

    return answer


def delayed(answer: Answer, seconds: float) -> Answer:
    """Return an answer that comes later."""

    def wait(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        answer(handler)

    return wait


def in_turn(*answers: Answer) -> Answer:
    """Return an answer that is another one each time; the last one stays."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def status(code: int, **headers: str) -> Answer:
    """Return an answer with this status and no body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def cut_off(content: bytes) -> Answer:
    """Return an answer that announces twice the bytes that it sends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2 * len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def stalled(seconds: float, content: bytes = b"", **headers: str) -> Answer:
    """Return an answer that sends its headers, these bytes, and then nothing for some seconds."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) * 2 or 1000))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)
            time.sleep(seconds)

    return answer


def serve_model(host: Host, files: Mapping[str, bytes], sizes: Mapping[str, int]) -> None:
    """Let a host be a hub that has one model.

    Args:
        host: Host to change.
        files: Content of each file by name.
        sizes: Size that the hub announces for a large file by name; the others are small.
    """
    siblings, tree = [], []
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        size = sizes.get(name, len(content))
        large = {"size": size, "pointerSize": 130}
        siblings.append({"rfilename": name, "size": size, "blobId": "0"})
        tree.append({"type": "file", "path": name, "size": size, "oid": "0"})
        if name in sizes:
            siblings[-1]["lfs"] = {"sha256": digest, **large}
            tree[-1]["lfs"] = {"oid": digest, **large}
        for revision in ("main", COMMIT):
            host.answers[f"/{MODEL}/resolve/{revision}/{name}"] = ranged(
                content, ETag=f'"{digest}"', X_Repo_Commit=COMMIT
            )
    info = {"id": MODEL, "modelId": MODEL, "sha": COMMIT, "siblings": siblings}
    for path in (MODEL, f"{MODEL}/revision/main", f"{MODEL}/revision/{COMMIT}"):
        host.answers[f"/api/models/{path}"] = body(
            json.dumps(info).encode(), Content_Type="application/json"
        )
    host.answers[f"/api/models/{MODEL}/tree/{COMMIT}"] = body(
        json.dumps(tree).encode(), Content_Type="application/json"
    )


@pytest.fixture
def host() -> Iterator[Host]:
    """Yield a host without answers, which runs until the test ends."""
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an empty cache of the hub, for this process and those it starts."""
    folder = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder
