"""The report as one page for a screen: index.html, from the contents that Report.pdf shows."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis.coloured_words import coloured

PAGE = Path(__file__).with_name("report.html")
_SUMMARY = {"best_cell", "champion_short"}  # texts that stand in the summary alone
_BY_FACTS = {  # chapters that show facts, beside items or in place of them
    "Errors": "examples",
    "Assumptions and limits": "assumptions",
    "How to reproduce": "launches",
    "Notes on the log": "notes",
}


def write_page(contents: Path) -> Path:
    """Write ``index.html`` beside the contents and return its path.

    Figures are part of the file, and nothing of it is fetched from elsewhere. Every text is
    escaped.

    Args:
        contents: File that ``Book.write`` wrote, with the folder ``figures`` beside it.

    Raises:
        OSError: If a figure cannot be read, or the page not written.
    """
    report = json.loads(contents.read_bytes())
    pages = Environment(
        loader=FileSystemLoader(PAGE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    examples = [_prepared(example) for example in report["facts"].get("examples", [])]
    text = pages.get_template(PAGE.name).render(
        facts=report["facts"],
        tables=report["tables"],
        figures=report["figures"],
        texts=report["texts"],
        chapters=_chapters(report, {name for example in examples for name in example["figures"]}),
        examples=examples,
        numbered=report["numbered"],
        picture=lambda name: _picture(contents.parent / "figures" / f"{name}.png"),
    )
    path = contents.with_name("index.html")
    path.write_text(text, encoding="utf-8")
    return path


def _chapters(report: dict[str, Any], used: set[str]) -> list[dict[str, Any]]:
    """Return the chapters that show anything, each with its sentences first.

    Args:
        report: Contents of the report.
        used: Figures that stand beside an example, in no chapter.
    """
    found = []
    for chapter in report["chapters"]:
        items = [
            item
            for item in chapter["items"]
            if item["name"] in report[item["kind"]]
            and item["name"] not in used | _SUMMARY
            and report[item["kind"]][item["name"]]  # a text may have no sentence
        ]
        items.sort(key=lambda item: item["kind"] != "texts")
        if items or report["facts"].get(_BY_FACTS.get(chapter["title"])):
            place = chapter["title"].lower().replace(" ", "-")
            found.append({"title": chapter["title"], "items": items, "place": place})
    return found


def _picture(path: Path) -> str:
    """Return a PNG file as an address that holds all of it."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _prepared(example: dict[str, Any]) -> dict[str, Any]:
    """Return an example with everything that the page shows; what the log lacks is empty.

    ``sides`` are its texts as words with ``opacity``, ``tone`` and the printed ``change``, and
    ``figures`` the names of its pictures.
    """
    sides = coloured(example)
    return {
        "threshold": None,
        "comment": "",
        "causes": [],
        "note": "",
        "nearest": [],
        **example,
        "attention": example.get("attention", ""),
        "sides": sides,
        "measured": any(word["tone"] for side in sides for word in side),
        "figures": [example[name] for name in ("figure", "occlusion") if example.get(name)],
    }
