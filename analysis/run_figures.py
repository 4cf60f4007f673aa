"""Figures about the trials, each drawn from one table of ``run_tables`` or ``comparison``."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.captions import score
from analysis.run_tables import claimed, freezing_order, validation_f1, validation_loss
from analysis.theme import (
    GREY,
    HALF_WIDTH,
    RED,
    SEQUENTIAL,
    colour_of,
    mode_name,
    optimizer_name,
    panels,
)

_FLAG_WIDTH = 12  # characters of a line in a cell of the heat map


def plot_curves(curves: pd.DataFrame) -> Figure:
    """Draw ``curves``: losses and validation F1 by epoch, bands one standard deviation."""
    shown = validation_f1(curves)
    modes = freezing_order(curves["freezing"])
    figure, axes = panels(1, len(modes) + 1, height=2.0)
    names = {"train_loss": "train", validation_loss(curves): "validation"}
    losses = curves[curves["metric"].isin(names)]
    for axis, mode in zip(axes, modes, strict=False):
        part = losses[losses["freezing"].astype(str) == mode]
        for number, (metric, name) in enumerate(names.items()):
            _line(axis, part[part["metric"] == metric], number, name)
        axis.set(title=mode_name(mode), xlabel="epoch", ylabel="loss (nats per pair)")
        axis.set_ylim(losses["low"].min() - 0.02, losses["high"].max() + 0.02)
        _legend_above(axis)
    scores = curves[curves["metric"] == shown]
    for number, mode in enumerate(modes):
        part = scores[scores["freezing"].astype(str) == mode]
        _line(axes[-1], part, number, mode)
    axes[-1].set(title="validation F1", xlabel="epoch", ylabel="F1")
    _legend_above(axes[-1], "frozen")
    return figure


def _legend_above(axis: Axes, title: str | None = None) -> None:
    """Write the legend above the lines, in room made for it."""
    low, high = axis.get_ylim()
    lines = len(axis.get_legend_handles_labels()[0]) + (title is not None)
    axis.set_ylim(low, high + 0.16 * lines * (high - low))
    axis.legend(loc="upper center", title=title, title_fontsize=7.5)


def _line(axis: Axes, part: pd.DataFrame, number: int, label: str) -> None:
    """Draw the mean by epoch as a line in the colour of that number, with its band."""
    colour = colour_of(number)
    axis.plot(part["epoch"], part["mean"], marker="o", markersize=3, color=colour, label=label)
    axis.fill_between(part["epoch"], part["low"], part["high"], alpha=0.2, color=colour)
    axis.set_xticks(sorted(set(part["epoch"])))


def plot_comparison(scores: pd.DataFrame) -> Figure:
    """Draw ``scores_with_intervals``: accuracy, F1 and AUC, 95 % intervals, baselines in grey."""
    metrics = {"accuracy": "test accuracy", "f1": "test F1", "auc": "test AUC"}
    models = list(dict.fromkeys(scores["model"]))
    figure, axes = panels(1, 3, height=0.8 + 0.24 * len(models), share_y=True)
    for axis, (metric, name) in zip(axes, metrics.items(), strict=True):
        part = scores[scores["metric"] == metric].set_index("model").loc[models]
        colours = [colour_of(0) if model.endswith("frozen") else GREY for model in models]
        positions = np.arange(len(models))
        axis.hlines(positions, part["low"], part["high"], colors=colours, linewidth=1.5)
        axis.scatter(part["mean"], positions, c=colours, s=18, zorder=3)
        axis.set(xlabel=name)
    axes[0].set_yticks(range(len(models)), models)
    axes[0].set_ylim(len(models) - 0.5, -0.5)  # the first on top, none on the frame
    return figure


def plot_differences(differences: pd.DataFrame, where: str) -> Figure:
    """Draw ``differences`` in test F1, in points; ``where`` names the threshold in words."""
    names = [f"{row.model} − {row.other}" for row in differences.itertuples()]
    figure, (axis,) = panels(1, 1, height=0.7 + 0.26 * len(names))
    positions = np.arange(len(names))
    colours = [colour_of(0) if clear else GREY for clear in claimed(differences)]
    axis.hlines(
        positions, 100 * differences["f1_low"], 100 * differences["f1_high"], colors=colours
    )
    axis.scatter(100 * differences["f1"], positions, c=colours, s=18, zorder=3)
    axis.axvline(0, color=RED, linewidth=0.8)
    axis.set_yticks(positions, names)
    axis.set_ylim(len(names) - 0.5, -0.5)  # the first on top, none on the frame
    axis.set(xlabel=f"difference in test F1 {where}, points")
    return figure


def plot_grid(grid: pd.DataFrame) -> Figure:
    """Draw ``grid_scores``: learning rate by optimizer, a row for each freezing mode.

    Cells have the score at the threshold chosen on validation, which colours them, and in
    brackets that at 0.5. Flagged cells are hatched and labelled.
    """
    modes = freezing_order(grid["freezing"])
    metrics = {"test_accuracy": "test accuracy", "test_f1": "test F1"}
    height = 0.6 + 0.5 * grid["optimizer"].nunique()
    figure, axes = panels(len(modes), 2, height=height * len(modes))
    for row, mode in enumerate(modes):
        part = grid[grid["freezing"].astype(str) == mode]
        for axis, (metric, name) in zip(axes[2 * row :], metrics.items(), strict=False):
            chosen = grid[f"{metric}_at_threshold"]
            _heat(axis, part, metric, (chosen.min(), chosen.max()))
            axis.set(title=f"{name}, {mode_name(mode)}", xlabel="learning rate")
    return figure


def _heat(axis: Axes, part: pd.DataFrame, metric: str, limits: tuple[float, float]) -> None:
    """Draw a heat map of a metric; the colours span ``limits``."""
    cut = f"{metric}_at_threshold"
    values = part.pivot_table(index="optimizer", columns="learning_rate", values=cut)
    cells = part.set_index(["optimizer", "learning_rate"]).to_dict("index")
    points = min(8.0, 24 / len(values.columns))  # a line of _FLAG_WIDTH fits into a cell
    labels = np.array(
        [
            [_label(cells.get((optimizer, rate)), metric) for rate in values.columns]
            for optimizer in values.index
        ]
    )
    sns.heatmap(
        values, ax=axis, cmap=SEQUENTIAL, vmin=limits[0], vmax=limits[1], cbar=False,
        annot=labels, fmt="", annot_kws={"fontsize": points},
    )  # fmt: skip
    for text in axis.texts:
        if "\n" in text.get_text():  # a flag
            text.set(color="black", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0})
            _hatch(axis, *text.get_position())
    rates = [f"{rate:g}" for rate in values.columns]
    axis.set_xticks(np.arange(len(rates)) + 0.5, rates, fontsize=min(7.5, points))
    names = [optimizer_name(str(name)) for name in values.index]
    axis.set_yticks(np.arange(len(names)) + 0.5, names, rotation=0)
    axis.set_ylabel("")
    axis.grid(visible=False)


def _label(cell: Mapping[Hashable, Any] | None, metric: str) -> str:
    """Return the text of a cell: its values, and below them the flag that it has."""
    if cell is None:  # not every optimizer tried every rate
        return ""
    values = f"{score(cell[f'{metric}_at_threshold'])} ({score(cell[metric])})"
    return "\n".join([values, *textwrap.wrap(str(cell["flag"]), _FLAG_WIDTH)])


def _hatch(axis: Axes, column: float, row: float) -> None:
    """Hatch the cell of a heat map that has this centre."""
    axis.fill_between(
        [column - 0.48, column + 0.48],
        row - 0.48,
        row + 0.48,
        facecolor="none",
        hatch="///",
        edgecolor="white",
        linewidth=0,
        alpha=0.4,
    )


def plot_optimism(optimism: pd.DataFrame) -> Figure:
    """Draw ``selection_optimism``: the chosen trial's F1 on validation and test, by mode."""
    figure, (axis,) = panels(1, 1, height=0.95 + 0.3 * len(optimism), width=HALF_WIDTH)
    positions = np.arange(len(optimism))
    axis.hlines(positions, optimism["test_f1"], optimism["val_f1"], colors=GREY, linewidth=1.5)
    axis.scatter(optimism["val_f1"], positions, color=colour_of(1), label="validation", zorder=3)
    axis.scatter(optimism["test_f1"], positions, color=colour_of(0), label="test", zorder=3)
    axis.set_yticks(positions, [mode_name(mode) for mode in optimism["freezing"]])
    axis.set(xlabel="F1 at the threshold\nchosen on validation", ylim=(len(optimism) - 0.5, -0.5))
    axis.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))  # else they touch
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure
