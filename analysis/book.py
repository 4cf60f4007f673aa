"""The contents of the report; each of its tables and figures is also saved as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.captions import DASH, FIGURES, TABLES, heading, written
from analysis.legible import families, legible, set_fonts
from analysis.theme import FULL_WIDTH

_TALLEST = 8.2  # inches: A4 without its margins and a caption
_LONG_WORD = re.compile(r"\S{40}(?=\S)")
_TOGETHER = re.compile(r"(?<=\d) (?=%)|(?<=\bp) (?=[=<])|(?<=[=<]) (?=\.\d)")
_NUMBERED = re.compile(r"\[U\+[0-9A-F]{4,6}[\] ]")
_AS_IS = {"file", "command"}  # values that must not get places for line breaks


class Book:
    """The contents of a report, in a folder with ``figures/`` and ``tables/``.

    ``facts`` hold what the page shows besides tables, figures and sentences.

    Args:
        folder: Folder of the report; created if it does not exist.
        tell: Is told the title of each chapter as it begins.
    """

    def __init__(self, folder: Path, tell: Callable[[str], object] = lambda part: None) -> None:
        self.folder, self.tell = folder, tell
        self.facts: dict[str, Any] = {}
        self._tables: dict[str, Any] = {}
        self._figures: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._chapters: list[dict[str, Any]] = []
        for name in ("figures", "tables"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def open_chapter(self, title: str) -> None:
        """Begin a chapter of the page for a screen: it has all that is added from here on."""
        self.tell(title)
        self._chapters.append({"title": title, "items": []})

    def _list(self, kind: str, name: str) -> None:
        """Note that the current chapter has a table, figure or text."""
        if not self._chapters:
            self.open_chapter("Contents")
        self._chapters[-1]["items"].append({"kind": kind, "name": name})

    def keep_numbers(self, name: str, frame: pd.DataFrame) -> None:
        """Save a table as ``tables/NAME.csv`` with every digit, without showing it."""
        frame.to_csv(self.folder / "tables" / f"{name}.csv", index=False)

    def add_table(
        self, name: str, frame: pd.DataFrame, columns: list[str] | None = None, **words: object
    ) -> None:
        """Save a table as CSV, and show some of its columns, formatted, if it has rows.

        A column without a value in any row is not shown.

        Args:
            name: Name of the file, of the caption and of the table in ``report.typ``.
            frame: Numbers of the table.
            columns: Columns to show, in this order; all if None.
            words: Values for the placeholders of the caption.
        """
        self.keep_numbers(name, frame)
        if not len(frame):
            return
        cells = {
            column: [written(column, value) for value in frame[column].tolist()]
            for column in (frame.columns if columns is None else columns)
        }
        shown = [column for column, texts in cells.items() if set(texts) - {"", DASH}]
        rows = [list(row) for row in zip(*(cells[column] for column in shown), strict=True)]
        self._list("tables", name)
        self._tables[name] = {
            "header": [heading(column) for column in shown],
            "rows": rows,
            "caption": TABLES[name].format(**words),
        }

    def add_figure(
        self, name: str, figure: Figure, caption: str | None = None, **words: object
    ) -> None:
        """Save a figure as PDF (vectors, shown in the report) and as PNG.

        Args:
            name: Name of the files and of the figure in ``report.typ``.
            figure: Figure to save.
            caption: Name of the caption; ``name`` if None.
            words: Values for the placeholders of the caption.
        """
        path = self.folder / "figures" / name
        set_fonts(figure)
        undated = {"CreationDate": None}  # the same numbers give the same file
        figure.savefig(path.with_suffix(".pdf"), metadata=undated)
        figure.savefig(path.with_suffix(".png"), dpi=160)
        self._list("figures", name)
        self._figures[name] = {
            "file": f"figures/{name}.pdf",
            "caption": FIGURES[caption or name].format(**words),
            "inches": _fitting_width(figure),
        }

    def add_text(self, name: str, sentences: list[str]) -> None:
        """Keep sentences, which ``report.typ`` shows by this name."""
        self._list("texts", name)
        self._texts[name] = sentences

    def write(self) -> Path:
        """Write everything that ``report.typ`` reads to report.json and return the file."""
        path = self.folder / "report.json"
        content = {
            "facts": self.facts,
            "tables": self._tables,
            "figures": self._figures,
            "texts": self._texts,
            "chapters": self._chapters,
        }
        shown = json.dumps(_for_page(content), ensure_ascii=False)
        signs = {"fonts": families(shown), "numbered": _NUMBERED.search(shown) is not None}
        text = json.dumps({**json.loads(shown), **signs}, indent=1, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
        return path


def _fitting_width(figure: Figure) -> float:
    """Return the width in inches at which a figure fits on a page: its own if possible."""
    width, height = (float(size) for size in figure.get_size_inches())
    return min(width, FULL_WIDTH, width * _TALLEST / height)


def _for_page(content: object, name: object = None) -> object:
    """Return what the pages show with every text legible, and long words that can be broken."""
    if isinstance(content, dict):
        return {key: _for_page(value, key) for key, value in content.items()}
    if isinstance(content, list):
        return [_for_page(value, name) for value in content]
    if not isinstance(content, str):
        return content
    text = legible(content)
    if name not in _AS_IS:
        text = _TOGETHER.sub("\u00a0", text)  # no line ends in "95 %" and "p = .031"
    return text if name in _AS_IS else _LONG_WORD.sub("\\g<0>\u200b", text)
