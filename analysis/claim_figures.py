"""Figures of what scores are worth: accuracy by votes; each is drawn from one table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.ceiling_tables import ORACLE
from analysis.theme import colour_of, panels

_SPREAD = 0.5  # of a place on the axis: over it the models of one place are spread


def plot_accuracy_by_votes(table: pd.DataFrame) -> Figure:
    """Draw ``accuracy_by_votes``: a mark per model with its interval, a line for the oracle."""
    figure, (axis,) = panels(1, 1, height=2.4, width=5.2)
    known = table[table["model"] == ORACLE]
    places = np.arange(len(known))
    models = [name for name in dict.fromkeys(table["model"]) if name != ORACLE]
    for number, model in enumerate(models):
        part = table[table["model"] == model]
        at = places + _SPREAD * ((number + 0.5) / len(models) - 0.5)
        axis.vlines(at, part["low"], part["high"], color=colour_of(number), linewidth=1.5)
        axis.plot(at, part["accuracy"], "o", color=colour_of(number), markersize=4, label=model)
    axis.hlines(known["accuracy"], places - 0.4, places + 0.4, colors="black",
                linestyles="dashed", linewidth=1, label=ORACLE)  # fmt: skip
    names = [f"{row.votes}\n{row.pairs} pairs" for row in known.itertuples()]
    axis.set_xticks(places, names)
    axis.set(xlabel="votes for paraphrase", ylabel="test accuracy", ylim=(0, 1.02))
    figure.legend(loc="outside upper center", ncols=2)
    return figure
