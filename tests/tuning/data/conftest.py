"""A local web server in place of the hub and of the host of the data."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]


class Host:
    """A server of answers by path; other paths get 404. ``requests`` lists what was requested."""

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


def status(code: int) -> Answer:
    """Return an answer with this status and no body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
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


def stalled(seconds: float) -> Answer:
    """Return an answer that sends its headers and then nothing for some seconds."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        time.sleep(seconds)

    return answer


@pytest.fixture
def host() -> Iterator[Host]:
    """Yield a host without answers, which runs until the test ends."""
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()
