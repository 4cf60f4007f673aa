"""Figures about an Optuna search, each drawn from one table of ``search_tables``."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.legible import label
from analysis.search_tables import is_wide
from analysis.theme import HALF_WIDTH, SEQUENTIAL, colour_of, panels
from measures.objective import SEED_MEAN

SHOWN = 10  # parameters in the figure of importance
# origin, shape and colour of a mark; logs of earlier versions tell no origin
_ORIGIN_MARKS = (
    ("given", "s", colour_of(5)),
    ("start-up", "^", colour_of(1)),
    ("TPE", "o", colour_of(0)),
    ("", "o", colour_of(0)),
)


def plot_history(history: pd.DataFrame, measure: str) -> Figure:
    """Draw ``search_history``: a point per trial, a line for the best so far.

    Args:
        history: Table ``search_history``.
        measure: Words for what the trials are ranked by.
    """
    figure, (axis,) = panels(1, 1, height=2.0, width=HALF_WIDTH)
    axis.scatter(history["number"], history["value"], s=14, color=colour_of(0), label="trial")
    axis.step(history["number"], history["best"], where="post", color=colour_of(1), label="best")
    axis.set(xlabel="trial", ylabel=measure)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return figure


def plot_tried(tried: pd.DataFrame, measure: str) -> Figure:
    """Draw ``tried_places``: a panel per encoding and head, a mark per trial, hollow if stopped.

    Marks of each origin have a shape of their own.

    Args:
        tried: The table.
        measure: What the trials are worth, in words.
    """
    encodings, heads = tried["encoding"].cat.categories, tried["head"].cat.categories
    height = 0.8 + 1.3 * len(encodings)
    figure, axes = panels(len(encodings), len(heads), height=height, share_y=True)
    for axis, (encoding, head) in zip(axes, product(encodings, heads), strict=True):
        part = tried[(tried["encoding"] == encoding) & (tried["head"] == head)]
        for name, marker, colour in _ORIGIN_MARKS:
            for stopped, rows in part[part["origin"].fillna("") == name].groupby("stopped"):
                axis.plot(
                    rows["number"], rows["value"], marker, color=colour, markersize=4,
                    markerfacecolor="white" if stopped else colour,
                )  # fmt: skip
        axis.set_title(f"{encoding}, {label(head.replace('_', ' '), 24)}: {len(part)}")
        axis.set_xlim(0, len(tried) + 1)
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for number, axis in enumerate(axes):
        axis.set_xlabel("trial" if number >= len(axes) - len(heads) else "")
    figure.supylabel(measure, fontsize="medium")
    found = set(tried["origin"].fillna(""))
    marks = [
        Line2D([], [], marker=marker, linestyle="", color=colour, markersize=4,
               label=name or "trial")
        for name, marker, colour in _ORIGIN_MARKS if name in found
    ]  # fmt: skip
    if tried["stopped"].any():
        marks.append(Line2D([], [], marker="D", linestyle="", color="black", markersize=4,
                            markerfacecolor="white", label="hollow: stopped early"))  # fmt: skip
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def plot_parallel(values: pd.DataFrame) -> Figure:
    """Draw each trial as a line over its parameters, coloured by its value.

    Args:
        values: One row per trial: its parameters, and its value (``SEED_MEAN``).
    """
    names = [name for name in values.columns if name != SEED_MEAN]
    figure, (axis,) = panels(1, 1, height=2.3)
    positions = np.column_stack([_positions(values[name]) for name in names])
    objective = values[SEED_MEAN].to_numpy(dtype=float)
    spread = np.ptp(objective) or 1.0
    colours = colormaps[SEQUENTIAL]((objective - objective.min()) / spread)
    for number in np.argsort(objective):
        axis.plot(range(len(names)), positions[number], color=colours[number], alpha=0.8)
    axis.set_xticks(range(len(names)), [_range_of(values[name]) for name in names], fontsize=6)
    axis.set(ylabel="lowest to highest", yticks=[])
    axis.set_xlim(-0.2, len(names) - 0.8)
    return figure


def _positions(values: pd.Series) -> np.ndarray:
    """Return coordinates in [0, 1]: logarithmic over wide ranges, by sorted order for texts."""
    if not pd.api.types.is_numeric_dtype(values):
        codes = pd.factorize(values.astype(str), sort=True)[0].astype(float)
        return codes / max(codes.max(), 1)
    numbers = values.to_numpy(dtype=float)
    if is_wide(numbers.min(), numbers.max()):
        numbers = np.log(numbers)
    return (numbers - numbers.min()) / (np.ptp(numbers) or 1.0)


def _range_of(values: pd.Series) -> str:
    """Return the label of a parameter's axis: its name, and its range or its values."""
    name = str(values.name).replace("_", "\n")
    if pd.api.types.is_numeric_dtype(values):
        return f"{name}\n{values.min():.2g} to {values.max():.2g}"
    shown = "\n".join(label(text, 20) for text in sorted(set(values.astype(str))))
    return f"{name}\n{shown.replace('_', ' ')}"


def plot_importance(importance: pd.DataFrame) -> Figure:
    """Draw the first of ``parameter_importance``: a bar each, and a line for its interval."""
    importance = importance[:SHOWN]
    figure, (axis,) = panels(1, 1, height=0.7 + 0.17 * len(importance), width=HALF_WIDTH)
    axis.barh(importance["parameter"], importance["importance"], color=colour_of(4))
    axis.hlines(importance["parameter"], importance["low"], importance["high"], color="black",
                linewidth=1)  # fmt: skip
    axis.invert_yaxis()
    axis.set(xlabel="importance (sums to 1)")
    return figure


def plot_budget(budget: pd.DataFrame, measure: str) -> Figure:
    """Draw ``random_budget``: the expected best of random trials by their number, and its band.

    Args:
        budget: The table, at least one row.
        measure: Words for what the trials are ranked by.
    """
    figure, (axis,) = panels(1, 1, height=2.0, width=HALF_WIDTH)
    axis.fill_between(budget["drawn"], budget["low"], budget["high"], color=colour_of(1),
                      alpha=0.25, linewidth=0)  # fmt: skip
    axis.plot(budget["drawn"], budget["expected"], "o-", color=colour_of(1), markersize=3)
    axis.set(xlabel="random trials", ylabel=measure)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
