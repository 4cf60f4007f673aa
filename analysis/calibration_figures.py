"""Figures of what predicted probabilities are worth, each drawn from one table."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.theme import colour_of, panels

_HEIGHT, _WIDTH = 2.7, 3.3  # inches of a panel


def plot_reliability(table: pd.DataFrame) -> Figure:
    """Draw ``reliability``: a panel for each target, a line per model, dashed what is right."""
    figure, axes = _panels(table)
    for axis, (against, part) in zip(axes, table.groupby("against", sort=False), strict=True):
        axis.plot([0, 1], [0, 1], color="black", linestyle="dashed", linewidth=0.8)
        _draw(axis, part, "predicted", "observed", "o-")
        axis.set(xlabel="predicted probability", ylabel=f"mean of {against}",
                 xlim=(0, 1), ylim=(0, 1))  # fmt: skip
    return _with_legend(figure, axes)


def plot_precision_recall(table: pd.DataFrame) -> Figure:
    """Draw ``precision_recall``: a panel for each target, a line per model.

    Dashed is the precision where every pair is called a paraphrase.
    """
    figure, axes = _panels(table)
    for axis, (against, part) in zip(axes, table.groupby("against", sort=False), strict=True):
        axis.axhline(part["share"].iloc[0], color="black", linestyle="dashed", linewidth=0.8)
        _draw(axis, part, "recall", "precision", "-")
        axis.set(xlabel="recall", ylabel=f"precision against {against}",
                 xlim=(0, 1), ylim=(0, 1.02))  # fmt: skip
    return _with_legend(figure, axes)


def _panels(table: pd.DataFrame) -> tuple[Figure, list[Axes]]:
    count = table["against"].nunique()
    return panels(1, count, height=_HEIGHT, width=_WIDTH * count)


def _draw(axis: Axes, part: pd.DataFrame, x: str, y: str, style: str) -> None:
    """Draw a line for each model."""
    for number, (model, line) in enumerate(part.groupby("model", sort=False)):
        axis.plot(line[x], line[y], style, color=colour_of(number), markersize=3, linewidth=1.2,
                  label=str(model))  # fmt: skip


def _with_legend(figure: Figure, axes: list[Axes]) -> Figure:
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center",
                  ncols=3 if len(axes) > 1 else 2)  # fmt: skip
    return figure
