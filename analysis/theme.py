"""Colours, sizes and names that all figures and sentences of the report share."""

from __future__ import annotations

from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito (2008): distinct with every common kind of colour blindness.
BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#7F7F7F",
)
CLASS_COLOURS = {0: ORANGE, 1: BLUE}
CLASS_NAMES = {0: "no paraphrase", 1: "paraphrase"}
MODE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
SEQUENTIAL = "cividis"
FULL_WIDTH = 6.7  # inches: A4 without its margins
HALF_WIDTH = 3.2  # inches: two figures side by side
RULES: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,  # a text of the data may have dollars
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "figure.dpi": 160,
}
_MODES = {
    "all": "all layers frozen",
    "some": "some layers frozen",
    "none": "no layers frozen",
    "1": "1 layer frozen",
}
_OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD"}


def panels(
    rows: int, columns: int, *, height: float, width: float = FULL_WIDTH, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the theme and its panels in reading order; sizes in inches.

    It sets matplotlib's settings for the whole process.
    """
    rcParams.update(RULES)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    return figure, list(axes.flat)


def mode_name(mode: str) -> str:
    """Return a freezing mode in words: ``all``, ``some``, ``none`` or a number of layers."""
    return _MODES.get(mode, f"{mode} layers frozen")


def optimizer_name(name: str) -> str:
    """Return the name of an optimizer as it is usually spelled."""
    return _OPTIMIZERS.get(name, name)


def colour_of(index: int) -> str:
    """Return the colour of the mode, model or optimizer with this number, counted from 0."""
    return MODE_COLOURS[index % len(MODE_COLOURS)]
