"""Functions that hide the passwords of URLs in texts and errors before they are shown or kept."""

from __future__ import annotations

import re

# A password may hold slashes, but a port does not begin one.
_USER = re.compile(r"(://[^:/@\s]*):(?!\d*(?:[/?#\s]|$))\S*@")
_SECRET = "password|passwd|pwd|secret|token|key|signature|credential"
_QUERY = re.compile(rf"([?&](?:[^=&\s]*(?:{_SECRET})[^=&\s]*|sig))=[^&\s]*", re.I)


def hide_passwords(text: str) -> str:
    """Return the text with ``***`` for every password in a URL: a user's or a query's."""
    return _QUERY.sub(r"\1=***", _USER.sub(r"\1:***@", text))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without passwords."""
    return hide_passwords(str(error).strip().split("\n")[0])
