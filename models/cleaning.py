"""Cleaning of a definition's text, in steps that the YAML file can switch off one by one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

_BULLETS = re.compile(r"^(?:[\s•·∙●○◦▪■□‣▶➢*–—]|-(?!\d))+")


def mend_html_quotes(text: str) -> str:
    """Return the text with ``&"``, a broken ``&quot;``, written as a plain quotation mark."""
    return text.replace('&"', '"')


def normalise_unicode(text: str) -> str:
    """Return the text in NFKC: ligatures, wide letters and superscripts in their plain form."""
    return unicodedata.normalize("NFKC", text)


def strip_bullets(text: str) -> str:
    """Return the text without bullets, stars and dashes at its start; a minus sign stays."""
    return _BULLETS.sub("", text)


def join_spaces(text: str) -> str:
    """Return the text with each run of white space as one space and none at its ends."""
    return " ".join(text.split())


STEPS: dict[str, Callable[[str], str]] = {
    "html_quotes": mend_html_quotes,
    "unicode": normalise_unicode,
    "bullets": strip_bullets,
    "spaces": join_spaces,
}


def clean(text: str, wanted: Mapping[str, bool]) -> str:
    """Return the text after the steps that are wanted, in the order of ``STEPS``.

    Args:
        text: Text of a definition.
        wanted: Whether to do a step, for each name in ``STEPS``.
    """
    for name, step in STEPS.items():
        if wanted[name]:
            text = step(text)
    return text


def changes(text: str, wanted: Mapping[str, bool]) -> list[str]:
    """Return the names of the steps of ``clean`` that change the text."""
    changed = []
    for name, step in STEPS.items():
        if wanted[name] and step(text) != text:
            changed.append(name)
            text = step(text)
    return changed
