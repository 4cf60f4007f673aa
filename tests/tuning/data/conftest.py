"""A web server on this machine that stands in for the hub and for the data host."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]


class Host:
    """Serves answers by path; a path without one gets 404. ``requests`` keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                host.requests.append(f"{self.command} {path}")
                host.answers.get(path, status(404))(self)

            do_HEAD = do_GET  # noqa: N815 - the library's name

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def body(content: bytes, **headers: str) -> Answer:
    """Return an answer of these bytes, with header names written with underscores."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)

    return answer


def status(code: int) -> Answer:
    """Return an answer with this status and no body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def cut_off(content: bytes) -> Answer:
    """Return an answer that promises twice the bytes it sends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2 * len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def stalled(seconds: float) -> Answer:
    """Return an answer that sends its headers and then nothing for a while."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        time.sleep(seconds)

    return answer


@pytest.fixture
def host() -> Iterator[Host]:
    """Return a host without answers; it ends with the test."""
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()
