"""Guards the page for a screen: the values of the tables, every text escaped, nothing fetched."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.book import Book
from analysis.theme import panels
from analysis.web_page import write_page

EVIL = "<script>alert(\"x\")</script> & 'y'"
TAGS = ("data", "data_fingerprint", "encoder", "encoder_architecture", "encoder_layers",
        "encoder_width", "encoder_fingerprint")  # fmt: skip
EXAMPLE = {
    "mode": "all layers frozen",
    "kind": "false positive",
    "group": EVIL,
    "first": f"a {EVIL}",
    "second": "one car",
    "probability": 0.75,
}
MEASURED = {
    "first_words": [{"text": "a", "change": 0.5}, {"text": EVIL, "change": -2.0}],
    "second_words": [{"text": "one", "change": None}, {"text": "car", "change": 0.0}],
    "threshold": 0.4,
    "comment": "1 of 3 annotators called it a paraphrase.",
    "causes": [f"The word {EVIL} flips the decision."],
    "nearest": [{"first": EVIL, "second": "x", "label": 1, "similarity": 0.5}],
    "note": EVIL,
    "attention": "It looked at a car.",
}


class Page(HTMLParser):
    """What a browser finds in the page: cells by table, texts, addresses, tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.addresses += [str(found[name]) for name in ("src", "href") if name in found]
        if tag == "table":
            self.tables[str(found["data-name"])] = []
        elif tag == "tr":
            list(self.tables.values())[-1].append([])
        elif tag in ("td", "th"):
            self._cell = True
            list(self.tables.values())[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            list(self.tables.values())[-1][-1][-1] += data


Shown = tuple[str, dict[str, Any]]


def page_of(folder: Path, example: dict[str, Any]) -> Shown:
    """Return the page of a small book, and the contents it was written from."""
    book = Book(folder)
    book.open_chapter("The data")
    auc = pd.DataFrame({"split": ["train", EVIL, "test"], "auc": [1 / 3, float("nan"), 0.5]})
    book.add_table("overlap_auc", auc)
    figure, (axis,) = panels(1, 1, height=2.0)
    axis.plot([1, 2], [3, 1])
    book.add_figure("overlap", figure)
    book.add_text("data", [EVIL])
    book.open_chapter("Empty")
    book.add_text("nothing", [])
    for title in ("Errors", "How to reproduce", "Notes on the log"):
        book.open_chapter(title)
    book.facts = {
        "title": EVIL, "tags": dict.fromkeys(TAGS, EVIL), "stand_ins": [EVIL],
        "warning": {"text": EVIL, "command": EVIL}, "examples": [example], "notes": [EVIL],
        "command": [EVIL], "launches": [{"experiment": EVIL, "trials": 2, "run_id": "r",
                                         "data": EVIL, "encoder": EVIL, "command": EVIL}],
    }  # fmt: skip
    contents = book.write()
    return write_page(contents).read_text(encoding="utf-8"), json.loads(contents.read_bytes())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Return the page of an example of before, and its contents."""
    return page_of(tmp_path_factory.mktemp("plain"), EXAMPLE)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page of an example whose words were measured."""
    return page_of(tmp_path_factory.mktemp("measured"), EXAMPLE | MEASURED)[0]


def test_every_text_is_escaped(plain: Shown, measured: str) -> None:
    for text in (plain[0], measured):
        assert EVIL not in text
        page = Page(text)
        assert page.tags.count("script") == 1  # its own
        assert page.text.count(EVIL) >= 10


def test_the_page_shows_the_values_of_the_tables(plain: Shown) -> None:
    text, contents = plain
    shown = Page(text).tables
    expected = {
        name: [table["header"], *table["rows"]] for name, table in contents["tables"].items()
    }
    assert shown == expected
    assert shown["overlap_auc"][1] == ["train", ".333"]


def test_the_page_is_one_file_that_fetches_nothing(plain: Shown) -> None:
    text, _ = plain
    addresses = [found for found in Page(text).addresses if not found.startswith("#")]
    assert [found.split(",")[0] for found in addresses] == [
        "Report.pdf",
        "data:image/png;base64",
    ]
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import|https?:", text)


def test_texts_from_right_to_left_turn_nothing_around_them(tmp_path: Path) -> None:
    text, _ = page_of(
        tmp_path, EXAMPLE | MEASURED | {"first": "\u05d0\u05d1 10", "group": "\u05d0\u05d1"}
    )
    assert "“<bdi>\u05d0\u05d1</bdi>”" in text
    assert text.count('<li dir="auto">') == 2
    assert "<td>" not in text  # each cell finds its own direction


def test_missing_runs_and_limits_are_pointed_at_from_the_top(plain: Shown, tmp_path: Path) -> None:
    text, _ = plain
    assert (
        text.index('href="#notes-on-the-log"')
        < text.index("<main>")
        < text.index('id="notes-on-the-log"')
    )
    assert (
        text.index(">Errors</h2>")
        < text.index('id="examples"')
        < text.index(">Notes on the log</h2>")
    )
    assert "Unicode numbers" not in text
    turned, _ = page_of(tmp_path, EXAMPLE | {"first": "\u202eturned"})
    assert "Unicode numbers" in turned


def test_a_chapter_shows_what_was_added_to_it_and_an_empty_one_is_left_out(
    plain: Shown,
) -> None:
    text, _ = plain
    assert text.index(">The data</h2>") < text.index('<table data-name="overlap_auc"')
    assert 'figure data-name="overlap"' in text
    assert "Empty" not in text


def test_words_are_coloured_by_what_deleting_them_changes(plain: Shown, measured: str) -> None:
    text = measured
    found = re.findall(r'<span class="(\w+)" style="--much: ([\d.]+)" title="([^"]+)">', text)
    assert found == [("against", "0.138", "+0.50"), ("for", "0.55", "−2.00")]
    assert "<sub>−2.00</sub>" in text
    assert "--much: 0" not in plain[0]
