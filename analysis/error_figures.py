"""Figures about errors, each drawn from one table or example of ``error_tables``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.error_tables import sides
from analysis.theme import FULL_WIDTH, SEQUENTIAL, colour_of, mode_name, panels


def plot_confusion(table: pd.DataFrame) -> Figure:
    """Draw ``confusion``: a matrix per model, with counts and shares of the true class."""
    figure, axes = panels(1, len(table), height=2.0, width=2.2 * len(table))
    for axis, (_, row) in zip(axes, table.iterrows(), strict=True):
        counts = np.array([[row["tn"], row["fp"]], [row["fn"], row["tp"]]], dtype=float)
        shares = counts / counts.sum(axis=1, keepdims=True)
        axis.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
        for (row_index, column), share in np.ndenumerate(shares):
            text = f"{counts[row_index, column]:.0f}\n{share:.0%}"
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
    """Draw ``error_rates``: a panel per property of a pair, a line per model."""
    kinds = list(dict.fromkeys(table["by"]))
    figure, axes = panels(2, 2, height=4.2, share_y=True)
    for axis, by in zip(axes, kinds, strict=False):
        part = table[table["by"] == by]
        for number, model in enumerate(dict.fromkeys(part["model"])):
            rows = part[part["model"] == model]
            axis.plot(rows["bin"], rows["error_rate"], marker="o", markersize=4,
                      color=colour_of(number), label=mode_name(model))  # fmt: skip
        axis.set(xlabel=by, ylabel="error rate at 0.5")
    for axis in axes[len(kinds) :]:
        axis.set_visible(False)
    axes[0].set_ylim(0, 1.05 * table["error_rate"].max())
    axes[0].legend()
    return figure


def plot_attention(found: dict[str, Any]) -> Figure:
    """Draw an attention map: a matrix between the definitions, or a bar per token.

    Args:
        found: Example with ``tokens`` and ``weights``, as ``Store.attention`` returns it.
    """
    weights = np.array(found["weights"])
    if weights.ndim == 1:
        figure, (axis,) = panels(1, 1, height=2.0)
        axis.bar(range(len(weights)), weights, color=colour_of(0))
        axis.set_xticks(range(len(weights)), found["tokens"], rotation=90)
        axis.set(ylabel="attention weight")
        return figure
    names = ["first definition", "second definition"]
    down, across = sides(found)
    if len(down) > len(across):  # the longer one along the x axis
        down, across, weights, names = across, down, weights.T, names[::-1]
    height = max(1.7, 0.9 + 0.13 * len(down))
    figure, (axis,) = panels(1, 1, height=height, width=min(FULL_WIDTH, 1.6 + 0.15 * len(across)))
    image = axis.imshow(weights, cmap=SEQUENTIAL, vmin=0, aspect="auto")
    axis.set_xticks(range(len(across)), across, rotation=90, fontsize=6.5)
    axis.set_yticks(range(len(down)), down, fontsize=6.5)
    axis.set(xlabel=names[1], ylabel=names[0])
    axis.grid(visible=False)
    figure.colorbar(image, ax=axis, label="attention weight", shrink=0.9)
    return figure
