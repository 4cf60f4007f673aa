"""Draw the rooms of tuning/ and their arrows: python docs/rooms.py writes docs/rooms.svg.

The rooms and what each may import are those that tests/test_import_rules.py holds.
"""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "tests/test_import_rules.py"
DRAWING = Path(__file__).with_name("rooms.svg")
Rooms = dict[str, set[str]]

LEFT, MIDDLE, RIGHT, OUTSIDE = 152, 282, 412, 704
WIDTH, HEIGHT, STEP, TOP = 232, 56, 94, 118
# Where a room stands from left to right, and what it does; how high follows from the arrows.
WORDS = {
    "entries": (MIDDLE, "the five commands, their options"),
    "search": (LEFT, "draw, confirm, test once (Optuna)"),
    "execution": (LEFT, "trials on cores and GPUs (Ray)"),
    "pretraining": (RIGHT, "an encoder from text"),
    "training": (LEFT, "train and score one classifier"),
    "tracking": (RIGHT, "journal, delivery (MLflow)"),
    "data": (MIDDLE, "from files to token arrays"),
    "download": (RIGHT, "from a name to files on disk"),
    "config": (LEFT, "what a YAML file may say"),
    "system": (RIGHT, "files, terminal, processor"),
}
OUTER_LIBRARY = "#fbe9d0"  # of rooms that alone know Optuna, Ray or MLflow
COLOURS: dict[str, str] = dict.fromkeys(("search", "execution", "tracking"), OUTER_LIBRARY)


def read_rooms() -> Rooms:
    """Return what each room may import, as the test has it, with the entries on top."""
    for node in ast.parse(RULES.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS":
            rooms: Rooms = ast.literal_eval(node.value)
            return {**rooms, "entries": set(rooms)}
    raise ValueError(f"{RULES}: must hold ROOMS")


def arrows_of(rooms: Rooms) -> list[tuple[str, str]]:
    """Return the arrows that do not follow from others."""
    return [
        (upper, lower)
        for upper, below in rooms.items()
        for lower in sorted(below)
        if not any(lower in rooms[between] for between in below)
    ]


def level(rooms: Rooms, name: str) -> int:
    """Return how many rooms lie below a room, one upon the other."""
    return max((1 + level(rooms, lower) for lower in rooms[name]), default=0)


def draw() -> str:
    """Return the drawing."""
    rooms = read_rooms()
    highest = level(rooms, "entries")
    at = {name: (WORDS[name][0], TOP + STEP * (highest - level(rooms, name))) for name in rooms}
    floor = TOP + STEP * highest + HEIGHT
    at |= {
        "experiments/": (MIDDLE, 12),
        "models/": (LEFT, floor + 44),
        "measures/": (OUTSIDE, floor + 44),
        "MLflow": (OUTSIDE, at["tracking"][1]),
        "analysis/": (OUTSIDE, at["data"][1] + STEP // 2),
    }
    tail = [arrow(at[upper], at[lower]) for upper, lower in arrows_of(rooms)]
    tail += [
        arrow(at["experiments/"], at["entries"]),
        arrow((LEFT, floor + 14 - HEIGHT), at["models/"]),
        arrow(at["MLflow"], at["analysis/"]),
        arrow(at["analysis/"], at["measures/"]),
        line(
            RIGHT + WIDTH // 2, at["tracking"][1] + 28, OUTSIDE - WIDTH // 2, at["MLflow"][1] + 28
        ),
        line(LEFT + WIDTH // 2, floor + 72, OUTSIDE - WIDTH // 2, floor + 72),
    ]
    boxes = [box(name, *at[name], WORDS[name][1]) for name in rooms]
    boxes += [
        box("experiments/", *at["experiments/"], "YAML: what is asked for"),
        box("models/", *at["models/"], "the classifier in plain PyTorch"),
        box("measures/", *at["measures/"], "intervals, baselines, overlap"),
        box("MLflow", *at["MLflow"], "the store: all that joins both"),
        box("analysis/", *at["analysis/"], "tables, figures, Report.pdf"),
    ]
    frame = f'<rect class="frame" x="20" y="92" width="524" height="{floor - 78}" rx="10"/>'
    title = '<text class="title" x="34" y="112">tuning/</text>'
    head = HEAD.format(width=840, height=floor + 114)
    return "\n".join([head, frame, title, *tail, *boxes, "</svg>", ""])


def arrow(upper: tuple[int, int], lower: tuple[int, int]) -> str:
    """Return an arrow from below one box to the top of another."""
    return line(upper[0], upper[1] + HEIGHT, lower[0], lower[1])


def line(x1: int, y1: int, x2: int, y2: int) -> str:
    """Return an arrow between two points."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" marker-end="url(#tip)"/>'


def box(name: str, x: int, y: int, words: str) -> str:
    """Return a box around a name and what it does."""
    fill = COLOURS.get(name, "#dcebf7" if name in WORDS else "#ffffff")
    return (
        f'<rect x="{x - WIDTH // 2}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
        f'fill="{fill}"/><text class="name" x="{x}" y="{y + 24}">{escape(name)}</text>'
        f'<text x="{x}" y="{y + 43}">{escape(words)}</text>'
    )


HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>The rooms of tuning and what may import what</title>
<defs><marker id="tip" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="7" markerHeight="7"
orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#555"/></marker></defs>
<style>text {{font: 13px sans-serif; text-anchor: middle; fill: #222}}
.name {{font-weight: bold; font-size: 15px}} .title {{font-weight: bold; text-anchor: start}}
rect {{stroke: #555}} .frame {{fill: #f7f7f7; stroke-dasharray: 5 4}}
line {{stroke: #555; stroke-width: 1.4}}</style>
<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>"""


if __name__ == "__main__":
    DRAWING.write_text(draw(), encoding="utf-8")
