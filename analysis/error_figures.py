"""Figures about errors, each drawn from one table or example of ``error_tables``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.error_rates import OVERLAP
from analysis.error_tables import sides
from analysis.legible import label
from analysis.theme import (
    CLASS_COLOURS,
    CLASS_NAMES,
    FULL_WIDTH,
    SEQUENTIAL,
    colour_of,
    mode_name,
    panels,
)

_MATRIX = (("tn", "fp"), ("fn", "tp"))
_WORD = 20  # characters that are shown of a word
# inches of the rows of a map: together, so that two examples share a page, and of each at least
_MAP_ROWS, _LEAST_ROW = 1.5, 0.085


def plot_confusion(table: pd.DataFrame) -> Figure:
    """Draw ``confusion``: a matrix per model: counts, shares of the true class, counts at 0.5."""
    figure, axes = panels(1, len(table), height=1.8, width=1.9 * len(table))
    for axis, (_, row) in zip(axes, table.iterrows(), strict=True):
        counts, at_half = (
            np.array([[row[f"{name}{ending}"] for name in names] for names in _MATRIX], float)
            for ending in ("", "_at_half")
        )
        shares = counts / counts.sum(axis=1, keepdims=True)
        axis.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
        for (row_index, column), share in np.ndenumerate(shares):
            half = at_half[row_index, column]
            text = f"{counts[row_index, column]:.0f}\n{share:.0%}\n({half:.0f})"
            axis.text(column, row_index, text, ha="center", va="center",
                      color="white" if share < 0.6 else "black")  # fmt: skip
        axis.set_xticks([0, 1], ["no", "yes"])
        axis.set_yticks([0, 1], ["no", "yes"])
        axis.set(
            title=mode_name(row["model"]), xlabel="predicted paraphrase", ylabel="true paraphrase"
        )
        axis.grid(visible=False)
    return figure


def plot_error_rates(table: pd.DataFrame) -> Figure:
    """Draw the part of ``error_rates`` over all pairs: a panel per property, a line per model."""
    kinds = list(dict.fromkeys(table["by"]))
    figure, axes = panels(1, len(kinds), height=1.75, share_y=True)
    for axis, by in zip(axes, kinds, strict=True):
        part = table[table["by"] == by]
        for number, model in enumerate(dict.fromkeys(part["model"])):
            _rate_line(axis, part[part["model"] == model], number, mode_name(model))
        _name_bins(axis, part)
        axis.set(xlabel=by)
    _finish_rates(figure, table)
    return figure


def plot_overlap_errors(table: pd.DataFrame) -> Figure:
    """Draw the part of ``error_rates`` by word overlap: a panel per model, a line per class."""
    models = list(dict.fromkeys(table["model"]))
    figure, axes = panels(1, len(models), height=1.75, share_y=True)
    for axis, model in zip(axes, models, strict=True):
        part = table[table["model"] == model]
        for number, kind in CLASS_NAMES.items():
            name = ("called a paraphrase", "missed")[number]
            colour = CLASS_COLOURS[number]
            _rate_line(axis, part[part["of"] == kind], number, f"{kind}, {name}", colour)
        _name_bins(axis, part)
        axis.set(xlabel=OVERLAP, title=mode_name(model))
    _finish_rates(figure, table)
    return figure


def _rate_line(
    axis: Axes, rows: pd.DataFrame, number: int, name: str, colour: str | None = None
) -> None:
    """Draw error rates with their intervals over the bins, moved aside by the line's number."""
    places = rows["place"] + 0.08 * number
    colour = colour or colour_of(number)
    axis.plot(places, rows["error_rate"], marker="o", markersize=4, color=colour, label=name)
    axis.vlines(places, rows["low"], rows["high"], color=colour, linewidth=0.8)


def _finish_rates(figure: Figure, table: pd.DataFrame) -> None:
    """Set the common scale of the panels, and write the legend above them."""
    first = figure.axes[0]
    first.set(ylabel="error rate", ylim=(0, 1.05 * table["high"].max() or 1))
    lines, names = first.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=len(names))


def _name_bins(axis: Axes, part: pd.DataFrame) -> None:
    """Write the names of the bins below the axis."""
    names = dict(sorted(zip(part["place"], part["bin"], strict=True)))
    axis.set_xticks(list(names), [name.replace(" to ", " to\n") for name in names.values()])


def plot_attention(found: dict[str, Any]) -> Figure:
    """Draw an attention map: a matrix between the texts, or a bar per word.

    Args:
        found: Example with ``tokens`` and ``weights``, of ``whole_words``.
    """
    weights = np.array(found["weights"])
    if weights.ndim == 1:
        figure, (axis,) = panels(1, 1, height=2.0)
        axis.bar(range(len(weights)), weights, color=colour_of(0))
        axis.set_xticks(range(len(weights)), _words(found["tokens"]), rotation=90)
        axis.set(ylabel="attention weight")
        return figure
    names = ["first text", "second text"]
    down, across = map(_words, sides(found))
    if len(down) > len(across):  # the longer one along the x axis
        down, across, weights, names = across, down, weights.T, names[::-1]
    row = min(0.12, max(_LEAST_ROW, _MAP_ROWS / len(down)))
    height = max(1.5, 0.8 + row * len(down))
    figure, (axis,) = panels(1, 1, height=height, width=min(FULL_WIDTH, 1.5 + 0.13 * len(across)))
    image = axis.imshow(weights, cmap=SEQUENTIAL, vmin=0, aspect="auto")
    axis.set_xticks(range(len(across)), across, rotation=90, fontsize=6.5)
    axis.set_yticks(range(len(down)), down, fontsize=min(6.5, 72 * 0.8 * row))
    axis.set(xlabel=names[1], ylabel=names[0])
    axis.grid(visible=False)
    figure.colorbar(image, ax=axis, label="weight", shrink=0.9)
    return figure


def _words(tokens: list[str]) -> list[str]:
    return [label(token, _WORD) for token in tokens]
