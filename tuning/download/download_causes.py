"""Causes of a failed download: from the errors of any library to a sentence for the user."""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from rich.filesize import decimal

from measures.passwords import hide_passwords

_LONGEST_DETAIL = 1000  # characters; it becomes a tag in MLflow
_SENTENCES = {
    "network": "{host} does not answer (no network?)",
    "refused": "{host} refuses the connection (a firewall, or a server that is down?)",
    "stalled": "{host} does not answer in time",
    "broken": "{host} broke the connection off",
    "certificate": "the certificate of {host} is not trusted (a proxy in between, a wrong clock?)",
    "tls": "the secure connection to {host} fails (a proxy or firewall in between?)",
    "proxy": "the proxy does not let us through to {host}: check HTTP_PROXY and HTTPS_PROXY",
    "unknown": "the download from {host} failed",
}
_STATUSES = {
    401: "{host} asks for a login (HTTP 401)",
    403: "{host} refuses access (HTTP 403)",
    404: "{host} has no such file (HTTP 404)",
    407: "the proxy asks for a password: check HTTP_PROXY and HTTPS_PROXY",
    408: "{host} does not answer in time",
    429: "{host} has had too many requests (HTTP 429): wait some minutes",
}
_NETWORK = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)
_TYPES: list[tuple[type[BaseException], str]] = [
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "network"),
    (ConnectionRefusedError, "refused"),
    (TimeoutError, "stalled"),
    (ConnectionError, "broken"),
    (http.client.HTTPException, "broken"),
]
# Errors of HTTP libraries that the data room does not import.
_NAMES = {
    "ProxyError": "proxy",
    "ConnectTimeout": "stalled",
    "ReadTimeout": "stalled",
    "PoolTimeout": "stalled",
    "RemoteProtocolError": "broken",
    "ReadError": "broken",
    "ConnectError": "network",
}


class DownloadError(OSError):
    """A download that failed; the message says why in words.

    Attributes:
        detail: What the libraries reported: addresses, classes, numbers; None if nothing. Its
            passwords are hidden.
    """

    def __init__(self, sentence: str, detail: str | None = None) -> None:
        super().__init__(sentence)
        self.detail = None if detail is None else hide_passwords(detail)


def sentence_of(error: BaseException, url: str, host: str) -> str:
    """Return a sentence that says why the network did not deliver.

    Args:
        error: Error of a library; its causes are looked at too.
        url: Address that was asked; decides whether a proxy was in between.
        host: Name of the other side, as the sentence is to call it.
    """
    links = list(_links(error))
    if any("Tunnel connection failed" in str(link) for link in links):
        return _SENTENCES["proxy"].format(host=host)
    status = next(filter(None, map(status_of, links)), None)
    if status is not None:
        return status_sentence(status, host)
    # a library's own class stands above what caused it, and says less
    names = (_NAMES.get(type(link).__name__) for link in links)
    kind = next(filter(None, (*map(_kind, links), *names)), "unknown")
    if kind in ("network", "refused") and _proxied(url):
        kind = "proxy"
    return _SENTENCES[kind].format(host=host)


def silence_sentence(host: str, seconds: float, kept: int) -> str:
    """Return a sentence for a wait without a byte.

    Args:
        host: Name of the other side, as the sentence is to call it.
        seconds: Length of the wait.
        kept: Bytes that have come before and are continued the next time.
    """
    rest = f" ({decimal(kept)} are kept for the next try)" if kept else ""
    return f"{host} sent nothing for {seconds:g} seconds{rest}"


def status_sentence(status: int, host: str) -> str:
    """Return a sentence for an HTTP status that is no success."""
    if status >= 500:
        return f"{host} has a fault of its own (HTTP {status}): try again later"
    return _STATUSES.get(status, "{host} answers with HTTP " + str(status)).format(host=host)


def detail_of(error: BaseException) -> str:
    """Return what the libraries reported, on one line: classes and messages, without secrets.

    Queries are left out of addresses, because they may be signed.
    """
    texts = [f"{type(link).__name__}: {' '.join(str(link).split())}" for link in _links(error)]
    text = re.sub(r"\?[^\s'\"<>)]+=[^\s'\"<>)]*", "?...", " <- ".join(texts))
    return text[:_LONGEST_DETAIL]


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error carries, or None."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    status = getattr(error, "code", None) if status is None else status
    return status if isinstance(status, int) and 300 <= status < 600 else None


def host_of(url: str) -> str:
    """Return the name of the host in an address, or the address if it has none."""
    with suppress(ValueError):
        return urlsplit(url).hostname or url
    return url


def _links(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it wraps, and what caused it; each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [getattr(link, "reason", None), link.__cause__, link.__context__]


def _kind(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in _NETWORK:
        return "network"
    return next((kind for cause, kind in _TYPES if isinstance(error, cause)), None)


def _proxied(url: str) -> bool:
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    known = parts.scheme in proxies or "all" in proxies
    return known and not urllib.request.proxy_bypass(parts.hostname or "")
