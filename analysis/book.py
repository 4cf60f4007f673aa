"""Collects what the report shows; every table and figure is also kept as a file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.captions import FIGURES, TABLES, heading, written


class Book:
    """The contents of a report, in a folder with ``figures/`` and ``tables/``.

    ``facts`` are what the page says outside of tables, figures and texts.

    Args:
        folder: Made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = {}
        self._tables: dict[str, Any] = {}
        self._figures: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        for name in ("figures", "tables"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def keep_numbers(self, name: str, frame: pd.DataFrame) -> None:
        """Keep a table as CSV with every digit, without showing it."""
        frame.to_csv(self.folder / "tables" / f"{name}.csv", index=False)

    def add_table(
        self, name: str, frame: pd.DataFrame, columns: list[str] | None = None, **words: object
    ) -> None:
        """Keep a table as CSV, and some of its columns written out for the report.

        Args:
            name: Of the file, the caption and the place in the report.
            frame: The numbers.
            columns: What to show and in which order; all if None.
            words: For the placeholders of the caption.
        """
        self.keep_numbers(name, frame)
        shown = list(frame.columns) if columns is None else columns
        rows = [[written(name, row[name]) for name in shown] for row in frame.to_dict("records")]
        self._tables[name] = {
            "header": [heading(column) for column in shown],
            "rows": rows,
            "caption": TABLES[name].format(**words),
        }

    def add_figure(
        self, name: str, figure: Figure, caption: str | None = None, **words: object
    ) -> None:
        """Keep a figure as PDF (vectors, for the report) and as PNG.

        Args:
            name: Of the files and of the place in the report.
            figure: What is drawn.
            caption: Name of the caption, if it is not the figure's own.
            words: For the placeholders of the caption.
        """
        path = self.folder / "figures" / name
        undated = {"CreationDate": None}  # the same numbers give the same file
        figure.savefig(path.with_suffix(".pdf"), metadata=undated)
        figure.savefig(path.with_suffix(".png"), dpi=160)
        self._figures[name] = {
            "file": f"figures/{name}.pdf",
            "caption": FIGURES[caption or name].format(**words),
            "inches": float(figure.get_figwidth()),
        }

    def add_text(self, name: str, sentences: list[str]) -> None:
        """Keep sentences for a place in the report."""
        self._texts[name] = sentences

    def write(self) -> Path:
        """Write everything that the page needs as JSON and return the file."""
        path = self.folder / "report.json"
        content = {
            "facts": self.facts,
            "tables": self._tables,
            "figures": self._figures,
            "texts": self._texts,
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        return path
