"""Figures about the data set, each drawn from one table of ``data_tables``."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.data_tables import SPLITS, vote_columns
from analysis.legible import label
from analysis.theme import BLUE, CLASS_COLOURS, CLASS_NAMES, GREY, RED, colour_of, panels


def plot_class_balance(balance: pd.DataFrame) -> Figure:
    """Draw ``class_balance``: the share of paraphrases, and of each number of votes, by split."""
    with_votes = bool(vote_columns(balance))
    figure, axes = panels(1, 2 if with_votes else 1, height=1.6)
    shares = np.array([1 - balance["positive_share"], balance["positive_share"]])
    left = np.zeros(len(balance))
    for number, values in enumerate(shares):
        bars = axes[0].barh(
            balance["split"],
            values,
            left=left,
            color=CLASS_COLOURS[number],
            label=CLASS_NAMES[number],
        )
        axes[0].bar_label(bars, [f"{value:.0%}" for value in values], label_type="center")
        left += values
    axes[0].set(xlabel="share of the split's pairs", xlim=(0, 1))
    axes[0].invert_yaxis()
    axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    if with_votes:
        _draw_votes(axes[1], balance)
    return figure


def _draw_votes(axis: Axes, balance: pd.DataFrame) -> None:
    """Draw the share of pairs with each number of votes, a bar per split."""
    columns = vote_columns(balance)
    for number, row in enumerate(balance.to_dict("records")):
        axis.bar(
            np.arange(len(columns)) + (number - 1) * 0.27,
            [row[name] / row["pairs"] for name in columns],
            width=0.25,
            label=row["split"],
            color=colour_of(number),
        )
    axis.set(xlabel=_votes_of(len(columns) - 1), ylabel="share of pairs")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _votes_of(voters: int) -> str:
    return f"annotators who said paraphrase, of {voters}"


def plot_lengths(lengths: pd.DataFrame, limit: int, pieces: str = "per pair") -> Figure:
    """Draw ``lengths``: words and word pieces, with the encoder's limit marked.

    Args:
        lengths: ``data_tables.lengths``.
        limit: Largest number of word pieces.
        pieces: What the word pieces are counted of, ``data_tables.pieces_of``.
    """
    figure, axes = panels(1, 2, height=1.9)
    for split, colour in zip(SPLITS, map(colour_of, range(len(SPLITS))), strict=True):
        part = lengths[lengths["split"] == split]
        for axis, column in zip(axes, ("words", "pieces"), strict=True):
            axis.hist(
                part[column],
                bins=np.arange(0, lengths[column].max() + 4, 4).tolist(),
                density=True,
                histtype="step",
                linewidth=1.3,
                color=colour,
                label=split,
            )
    axes[0].set(xlabel="words per pair", ylabel="density")
    axes[0].legend(loc="upper left")  # "best" is slow with so many bars
    axes[1].set(xlabel=f"word pieces {pieces}, with special tokens", ylabel="density")
    longest = int(lengths["pieces"].max())
    if limit < 1.5 * longest:
        axes[1].axvline(limit, color=RED, linestyle="--", linewidth=1)
        axes[1].annotate(f"limit {limit}", (limit, 0), rotation=90, color=RED, ha="right")
    else:
        text = f"longest {longest}\nencoder's limit {limit}, off the scale →"
        axes[1].set_ylim(0, 1.3 * axes[1].get_ylim()[1])  # room for the text
        axes[1].text(
            0.97, 0.95, text, transform=axes[1].transAxes, ha="right", va="top", color=RED
        )
    return figure


def plot_overlap(overlap: pd.DataFrame, auc: pd.DataFrame) -> Figure:
    """Draw ``overlap`` by label and, if there were voters, by votes; with the AUC of overlap."""
    voters = int(overlap["voters"].iloc[0])
    figure, axes = panels(1, 2 if voters else 1, height=1.9)
    for kind in (0, 1):
        axes[0].hist(
            overlap.loc[overlap["label"] == kind, "overlap"],
            bins=np.linspace(0, 1, 26).tolist(),
            density=True,
            alpha=0.6,
            color=CLASS_COLOURS[kind],
            label=CLASS_NAMES[kind],
        )
    values = "\n".join(f"{row.split} {row.auc:.3f}" for row in auc.itertuples())
    note = f"AUC of overlap alone\n{values}"
    axes[0].text(0.97, 0.45, note, transform=axes[0].transAxes, ha="right", va="center")
    axes[0].set(xlabel="word overlap (Jaccard index)", ylabel="density")
    axes[0].legend(loc="upper right")
    if voters:
        votes = range(voters + 1)
        axes[1].boxplot(
            [overlap.loc[overlap["votes"] == number, "overlap"] for number in votes],
            positions=votes,
            widths=0.7,
            patch_artist=True,
            boxprops={"facecolor": BLUE, "alpha": 0.6},
            medianprops={"color": "black"},
            flierprops={"marker": ".", "markersize": 2},
        )
        axes[1].set(xlabel=_votes_of(voters), ylabel="word overlap")
    return figure


def plot_entities(sizes: pd.DataFrame) -> Figure:
    """Draw ``entity_sizes``: pairs per entity of each split, a single largest one named."""
    figure, axes = panels(1, 3, height=1.7, share_y=True)
    for axis, split, colour in zip(axes, SPLITS, map(colour_of, range(3)), strict=True):
        part = sizes[sizes["split"] == split].reset_index(drop=True)
        axis.bar(part.index + 1, part["pairs"], width=1.0, color=colour)
        axis.set(xlabel=f"entities of {split}, by size", title=f"{len(part)} entities")
        if len(part.nlargest(1, "pairs", keep="all")) == 1:  # else none is the largest
            largest = part.iloc[0]
            name = label(largest["group"], 24)
            axis.annotate(
                f"“{name}”\n{largest['pairs']} pairs, {largest['share']:.0%}",
                (1, largest["pairs"]),
                xytext=(0.2, 0.65),
                textcoords="axes fraction",
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.7},
            )
    axes[0].set_ylabel("pairs")
    return figure


def plot_telling_words(telling: pd.DataFrame) -> Figure:
    """Draw ``telling_words``: the words most typical of each class, by z-score."""
    figure, axes = panels(1, 2, height=2.3)
    for axis, kind in zip(axes, (1, 0), strict=True):
        part = telling[(telling["z"] > 0) == (kind == 1)]
        part = part.reindex(part["z"].abs().sort_values().index)
        axis.barh(range(len(part)), part["z"].abs(), color=CLASS_COLOURS[kind])
        axis.set_yticks(range(len(part)), [label(word, 24) for word in part["word"]])
        axis.set(
            xlabel="|z| of the log-odds ratio",
            title="typical of paraphrases" if kind else "typical of other pairs",
        )
        axis.grid(axis="y", visible=False)
    return figure
