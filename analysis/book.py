"""The contents of the report; each of its tables and figures is also saved as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.captions import FIGURES, TABLES, heading, written


class Book:
    """The contents of a report, in a folder with ``figures/`` and ``tables/``.

    ``facts`` hold what the page shows besides tables, figures and sentences.

    Args:
        folder: Folder of the report; created if it does not exist.
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
        """Save a table as ``tables/NAME.csv`` with every digit, without showing it."""
        frame.to_csv(self.folder / "tables" / f"{name}.csv", index=False)

    def add_table(
        self, name: str, frame: pd.DataFrame, columns: list[str] | None = None, **words: object
    ) -> None:
        """Save a table as CSV, and show some of its columns, formatted, in the report.

        Args:
            name: Name of the file, of the caption and of the table in ``report.typ``.
            frame: Numbers of the table.
            columns: Columns to show, in this order; all if None.
            words: Values for the placeholders of the caption.
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
        """Save a figure as PDF (vectors, shown in the report) and as PNG.

        Args:
            name: Name of the files and of the figure in ``report.typ``.
            figure: Figure to save.
            caption: Name of the caption; ``name`` if None.
            words: Values for the placeholders of the caption.
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
        """Keep sentences, which ``report.typ`` shows by this name."""
        self._texts[name] = sentences

    def write(self) -> Path:
        """Write everything that ``report.typ`` reads to report.json and return the file."""
        path = self.folder / "report.json"
        content = {
            "facts": self.facts,
            "tables": self._tables,
            "figures": self._figures,
            "texts": self._texts,
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        return path
