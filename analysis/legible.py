"""Texts of a data set as figures and the page can show them, whatever characters they have."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from pathlib import Path

from matplotlib import font_manager, get_data_path
from matplotlib.figure import Figure
from matplotlib.ft2font import FaceFlags, FT2Font
from matplotlib.text import Text

DEFAULT = "DejaVu Sans"  # comes with matplotlib
_NEVER = {"Cc", "Cs", "Co", "Cn"}  # categories without a sign of their own
_TURNING = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def legible(text: str) -> str:
    """Return a text that can be shown: characters that no installed font has get their numbers.

    So have control characters, and those that turn the direction of writing: ``[U+4F60 U+597D]``.
    White space becomes a space; line ends stay. What has no sign by design is left out.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    parts = []
    for named, run in groupby(text, key=_is_named):
        characters = list(run)
        parts.append(_numbers(characters) if named else "".join(map(_shown, characters)))
    return "".join(parts)


def label(text: object, limit: int = 40) -> str:
    """Return a text for a figure: one legible line of at most ``limit`` characters."""
    return shorten(legible(" ".join(str(text).split())), limit)


def shorten(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` characters, the last of them … if it was longer."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def families(text: str) -> list[str]:
    """Return the font families that a legible text needs, the usual one first."""
    needed = {family_of(character) for character in text if not character.isascii()}
    return [DEFAULT, *sorted(name for name in needed if name not in (None, DEFAULT))]


def copy_fonts(text: str, folder: Path) -> None:
    """Copy the fonts that a legible text needs into a folder; typst takes folders, not files."""
    needed = families(text)
    for number, (path, family) in enumerate(font_files().items()):
        if family in needed:
            shutil.copyfile(path, folder / f"{number}{Path(path).suffix}")


def set_fonts(figure: Figure) -> None:
    """Give the texts of a figure the fonts that their characters need beside the usual one."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # else the ticks get their texts only when they are drawn
    for text in figure.findobj(Text):
        found = families(text.get_text()) if isinstance(text, Text) else []
        if len(found) > 1:
            text.set_fontfamily(found)


@cache
def family_of(character: str) -> str | None:
    """Return the family of an installed font with this character; None if there is none."""
    for path, family in font_files().items():
        if ord(character) in _characters(path):
            return family
    return None


@cache
def font_files() -> dict[str, str]:
    """Return the family of each font file: that of matplotlib's text, then those installed."""
    own = Path(get_data_path())  # its other fonts are for formulas
    entries = sorted(font_manager.fontManager.ttflist, key=lambda entry: entry.fname)
    installed = {
        entry.fname: entry.name for entry in entries if own not in Path(entry.fname).parents
    }
    return {str(font_manager.findfont(DEFAULT)): DEFAULT, **installed}


@cache
def _characters(path: str) -> frozenset[int]:
    """Return the numbers of a font's characters; none if it is gone or made of pixels."""
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(font.get_charmap() if font.face_flags & FaceFlags.SCALABLE else ())


def _numbers(run: Iterable[str]) -> str:
    return f"[{' '.join(f'U+{ord(character):04X}' for character in run)}]"


def _is_named(character: str) -> bool:
    """Return whether a character is shown by its number."""
    if character.isspace():
        return False
    if character in _TURNING or unicodedata.category(character) in _NEVER:
        return True
    return not _is_invisible(character) and family_of(character) is None


def _is_invisible(character: str) -> bool:
    """Return whether a character only joins, parts or varies others."""
    varies = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return varies or unicodedata.category(character) == "Cf"


def _shown(character: str) -> str:
    if character.isspace():
        return "\n" if character == "\n" else " "
    return "" if _is_invisible(character) and family_of(character) is None else character
