"""Guards the sentences on failed downloads: words and a way out, no class, number or address."""

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request

import pytest

from tests.tuning.conftest import Host
from tuning.download.download_causes import DownloadError, detail_of, sentence_of, status_sentence

URL = "https://hub.example.org/" + "a/" * 60


class ConnectError(Exception):
    """An error of an HTTP library, which is known by its name."""


class ReadTimeout(Exception):  # noqa: N818 - the library's name
    """An error of an HTTP library, which is known by its name."""


class ProxyError(Exception):
    """An error of an HTTP library, which is known by its name."""


def caused(error: Exception, cause: Exception) -> Exception:
    """Return an error with its cause, as a library raises it."""
    error.__cause__ = cause
    return error


NO_NAME = socket.gaierror(-2, "Name or service not known")
SENTENCES = [
    (urllib.error.URLError(NO_NAME), "the hub does not answer (no network?)"),
    (caused(ConnectError("[Errno -2]"), NO_NAME), "the hub does not answer (no network?)"),
    (ConnectError("all attempts failed"), "the hub does not answer (no network?)"),
    (OSError(101, "Network is unreachable"), "the hub does not answer (no network?)"),
    (caused(ConnectError(), ConnectionRefusedError(111, "")), "the hub refuses the connection ("),
    (TimeoutError("timed out"), "the hub does not answer in time"),
    (ReadTimeout(""), "the hub does not answer in time"),
    (http.client.RemoteDisconnected(""), "the hub broke the connection off"),
    (http.client.BadStatusLine("x"), "the hub broke the connection off"),
    (urllib.error.URLError(ssl.SSLCertVerificationError(1, "x")), "the certificate of the hub is"),
    (caused(ConnectError(""), ssl.SSLError(1, "EOF")), "the secure connection to the hub fails ("),
    (ProxyError("no"), "the proxy does not let us through to the hub: check HTTP_PROXY and"),
    (OSError("Tunnel connection failed: 403 Forbidden"), "the proxy does not let us through to"),
    (ValueError("odd"), "the download from the hub failed"),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES, ids=lambda value: str(value)[:40])
def test_a_cause_is_said_in_words(error: Exception, sentence: str) -> None:
    said = sentence_of(error, URL, "the hub")
    assert said.startswith(sentence)
    assert not re.search(r"Errno|Error\b|https?://|\[", said)
    assert len(said) < 120


def test_a_loop_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert sentence_of(first, URL, "the hub") == "the download from the hub failed"
    assert detail_of(first) == "ValueError: a <- ValueError: b"


def test_a_proxy_that_does_not_answer_is_blamed_and_not_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(urllib.error.URLError) as caught:
        urllib.request.urlopen("http://hub.example.org/", timeout=5)
    said = sentence_of(caught.value, "http://hub.example.org/", "the hub")
    assert said.startswith("the proxy does not let us through to the hub")


def test_a_server_without_encryption_is_told_from_no_network(host: Host) -> None:
    url = host.url.replace("http:", "https:")
    with pytest.raises(urllib.error.URLError) as caught:
        urllib.request.urlopen(url, timeout=5)
    assert sentence_of(caught.value, url, "the hub").startswith("the secure connection to the hub")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "the hub asks for a login (HTTP 401)"),
        (407, "the proxy asks for a password: check HTTP_PROXY and HTTPS_PROXY"),
        (418, "the hub answers with HTTP 418"),
        (503, "the hub has a fault of its own (HTTP 503): try again later"),
    ],
)
def test_a_status_is_said_in_words(status: int, sentence: str) -> None:
    assert status_sentence(status, "the hub") == sentence


def test_the_detail_has_all_causes_but_no_signature() -> None:
    message = "for url: 'https://x.org/a?Signature=secret&Key=1'\n\nmore"
    error = caused(ConnectError(message), NO_NAME)
    assert detail_of(error) == (
        "ConnectError: for url: 'https://x.org/a?...' more"
        " <- gaierror: [Errno -2] Name or service not known"
    )


def test_an_error_carries_its_detail_without_passwords() -> None:
    error = DownloadError("the hub does not answer", "https://me:secret@hub.org: gaierror")
    assert str(error) == "the hub does not answer"
    assert error.detail is not None
    assert error.detail.endswith("@hub.org: gaierror")
    assert "secret" not in error.detail
