"""Guards texts of any data set in figures and on the page: shown, numbered, or shortened."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typst
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.figure import Figure

from analysis import legible
from analysis.book import Book
from analysis.theme import panels

LINEAR_B = "\U00010000"  # no usual font has it


@pytest.fixture
def linear_b_font(tmp_path: Path) -> Path:
    """Install a font with one letter of Linear B for the time of a test."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 500), (500, 500), (500, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "square"])
    font.setupCharacterMap({ord(LINEAR_B): "square"})
    font.setupGlyf({".notdef": square, "square": square})
    font.setupHorizontalMetrics({".notdef": (600, 0), "square": (600, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    texts = ("familyName", "fullName", "psName", "uniqueFontIdentifier")
    font.setupNameTable({**dict.fromkeys(texts, "Knossos"), "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "knossos.ttf")
    return tmp_path / "knossos.ttf"


@pytest.fixture
def installed(linear_b_font: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    entries = list(font_manager.fontManager.ttflist)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", entries)
    font_manager.fontManager.addfont(linear_b_font)
    legible.font_files.cache_clear()
    legible.family_of.cache_clear()
    yield linear_b_font
    legible.font_files.cache_clear()
    legible.family_of.cache_clear()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$5 to $10, naïve “β”", "$5 to $10, naïve “β”"),
        ("a\tb\u00a0c\r\nd", "a b c \nd"),
        ("bell\x07", "bell[U+0007]"),
        ("\u202eright", "[U+202E]right"),
        (f"{LINEAR_B}{LINEAR_B} x", "[U+10000 U+10000] x"),
        ("soft\u00adhyphen\ufe0f", "soft\u00adhyphen\ufe0f"),
        ("\ud800", "[U+D800]"),
    ],
)
def test_characters_without_a_sign_have_their_numbers(text: str, shown: str) -> None:
    assert legible.legible(text) == shown


def test_a_label_is_one_line_of_limited_length() -> None:
    assert legible.label("a\nb  c") == "a b c"
    assert legible.label("x" * 300, 20) == "x" * 19 + "…"


def test_a_character_is_shown_in_an_installed_font_that_has_it(
    installed: Path, tmp_path: Path
) -> None:
    assert legible.legible(LINEAR_B) == LINEAR_B
    book = Book(tmp_path / "report")
    figure, (axis,) = panels(1, 1, height=1.0)
    axis.set_yticks([0], [LINEAR_B])
    axis.set_xlabel("plain")
    book.add_figure("overlap", figure)
    assert axis.get_yticklabels()[0].get_fontfamily() == [legible.DEFAULT, "Knossos"]
    assert axis.xaxis.label.get_fontfamily() == ["sans-serif"]
    names = json.dumps(legible.families(LINEAR_B))[1:-1]
    source = f"#set text(font: ({names}))\n{LINEAR_B}"
    (tmp_path / "fonts").mkdir()
    legible.copy_fonts(LINEAR_B, tmp_path / "fonts")
    (tmp_path / "page.typ").write_text(source, encoding="utf-8")
    page = tmp_path / "page.pdf"
    folders = [tmp_path / "fonts"]
    typst.compile(tmp_path / "page.typ", output=page, font_paths=folders, ignore_system_fonts=True)
    assert b"+Knossos" in page.read_bytes()


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_can_be_drawn(text: str) -> None:
    panels(1, 1, height=1.0)  # sets the theme
    figure = Figure()
    assert len(legible.label(text)) <= 40
    figure.text(0, 0, legible.legible(text))
    legible.set_fonts(figure)
    figure.draw_without_rendering()  # a missing sign or bad mathematics is an error
