"""Figures about an Optuna search, each drawn from one table of ``search_tables``."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.legible import label
from analysis.search_tables import is_wide
from analysis.theme import SEQUENTIAL, colour_of, panels
from measures.objective import SEED_MEAN


def plot_history(history: pd.DataFrame, measure: str) -> Figure:
    """Draw ``search_history``: a point per trial, a line for the best so far.

    Args:
        history: Table ``search_history``.
        measure: Words for what the trials are ranked by.
    """
    figure, (axis,) = panels(1, 1, height=2.2)
    axis.scatter(history["number"], history["value"], s=14, color=colour_of(0), label="trial")
    axis.step(history["number"], history["best"], where="post", color=colour_of(1), label="best")
    axis.set(xlabel="trial", ylabel=measure)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return figure


def plot_parallel(values: pd.DataFrame) -> Figure:
    """Draw each trial as a line over its parameters, coloured by its value.

    Args:
        values: One row per trial: its parameters, and its value (``SEED_MEAN``).
    """
    names = [name for name in values.columns if name != SEED_MEAN]
    figure, (axis,) = panels(1, 1, height=2.6)
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
    """Draw ``parameter_importance``: a bar per parameter."""
    figure, (axis,) = panels(1, 1, height=0.7 + 0.22 * len(importance), width=4.5)
    axis.barh(importance["parameter"], importance["importance"], color=colour_of(0))
    axis.invert_yaxis()
    axis.set(xlabel="importance (sums to 1)")
    return figure
