"""Sentences about the grid and about errors, composed from tables alone."""

from __future__ import annotations

import pandas as pd

from analysis.captions import percent, points, rate, score
from analysis.error_rates import ALL, OVERLAP
from analysis.run_tables import FLAG_WORDS, IDLE, lost_optimizers
from analysis.theme import CLASS_NAMES, mode_name, optimizer_name
from measures.objective import MEANINGS

_MEANINGS = {
    FLAG_WORDS[IDLE]: "The head of a cell that learned nothing gives every pair the same "
    "probability, or has, to the third digit, the scores of another rate or optimizer.",
    **MEANINGS,
}
_EDGE = " That is the {edge} rate of the grid: the true best may lie outside it."


def about_best(best: pd.DataFrame) -> str:
    """Return which cell of the grid has the best validation F1.

    Args:
        best: Table ``best_of_each_optimizer``.
    """
    if not len(best):
        return "Every cell of the grid is flagged: none of them is called best."
    row = best.sort_values("val_f1").iloc[-1]
    sentence = (
        f"The best cell of the grid by validation F1 ({score(row['val_f1'])}) is "
        f"{optimizer_name(row['optimizer'])} at a learning rate of {rate(row['learning_rate'])} "
        f"with {mode_name(str(row['freezing']))}: {_test_scores(row)}."
    )
    return sentence + (_EDGE.format(edge=row["edge"]) if row["edge"] else "")


def _test_scores(row: pd.Series) -> str:
    """Return F1 and accuracy of a cell on test: at its threshold, and in brackets at 0.5."""
    f1, accuracy = (score(row[f"test_{name}_at_threshold"]) for name in ("f1", "accuracy"))
    return (
        f"test F1 {f1} and accuracy {accuracy} at the threshold chosen on validation "
        f"({score(row['test_f1'])} and {score(row['test_accuracy'])} at 0.5)"
    )


def runs_of(grid: pd.DataFrame) -> str:
    """Return how many training runs a cell of ``grid_scores`` stands for."""
    if grid["runs"].max() == 1:
        return "one training run with one seed"
    low, high = grid["runs"].min(), grid["runs"].max()
    count = f"{high}" if low == high else f"{low} to {high}"
    alike = (grid["runs"] == grid["seeds"]).all()
    return f"the mean over {count} {'seeds' if alike else 'training runs'}"


def about_grid(grid: pd.DataFrame, best: pd.DataFrame) -> list[str]:
    """Return the best cells, warnings about the grid's edges, and the failed cells.

    Args:
        grid: Table ``grid_scores``.
        best: Table ``best_of_each_optimizer``.
    """
    sentences = [about_best(best)]
    for _, row in best.iterrows():
        sentence = (
            f"With {mode_name(str(row['freezing']))}, {optimizer_name(row['optimizer'])} did best "
            f"at a learning rate of {rate(row['learning_rate'])}: {_test_scores(row)}."
        )
        sentences.append(sentence + (_EDGE.format(edge=row["edge"]) if row["edge"] else ""))
    sentences += [
        f"With {mode_name(str(row['freezing']))}, every cell of "
        f"{optimizer_name(row['optimizer'])} is flagged: none of its rates is called best."
        for _, row in lost_optimizers(grid).iterrows()
    ]
    flagged = grid[grid["flag"] != ""]
    if len(flagged):
        cells = ", ".join(
            f"{optimizer_name(row['optimizer'])} {rate(row['learning_rate'])} "
            f"({mode_name(str(row['freezing']))}) {row['flag']}"
            for _, row in flagged.iterrows()
        )
        sentences.append(
            f"{len(flagged)} of {len(grid)} cells are flagged, and none of them is called best: "
            f"{cells}. "
            + " ".join(_MEANINGS[flag] for flag in _MEANINGS if (flagged["flag"] == flag).any())
        )
    return sentences


def about_optimism(optimism: pd.DataFrame) -> list[str]:
    """Return how far the validation F1 of the chosen trial lies above its test F1."""
    sentences = []
    for _, row in optimism.iterrows():
        flagged, tried = row["flagged"], row["flagged"] + row["trials"]
        if tried == 1:
            sentences.append(
                f"With {mode_name(str(row['freezing']))} there is one trial, so nothing was "
                f"chosen: {score(row['val_f1'])} on validation and {score(row['test_f1'])} on "
                f"test at the same threshold, a gap of {points(row['gap'])} points."
            )
            continue
        left_out = f" ({flagged} flagged, which are never chosen)" if flagged else ""
        sentences.append(
            f"The best of {tried} trials{left_out} with {mode_name(str(row['freezing']))}, chosen "
            f"by validation F1, reached {score(row['val_f1'])} on validation and "
            f"{score(row['test_f1'])} on test at the same threshold: a gap of "
            f"{points(row['gap'])} points, which the choice itself tends to raise."
        )
    return sentences


def about_errors(rates: pd.DataFrame) -> list[str]:
    """Return where errors of each class lie by word overlap, and the range of the other rates.

    Args:
        rates: Table ``error_rates``.
    """
    means = rates.groupby(["by", "of", "bin"], sort=False, as_index=False).agg(
        error_rate=("error_rate", "mean")
    )
    over = " (mean over the freezing modes)" if rates["model"].nunique() > 1 else ""
    sentences = []
    overlap = means[means["by"] == OVERLAP]
    for label, wrong in ((0, "called a paraphrase"), (1, "missed")):
        part = overlap[overlap["of"] == CLASS_NAMES[label]]
        if len(part) > 1:
            first, last = part.iloc[0], part.iloc[-1]
            kind = "paraphrases" if label else "pairs that are no paraphrases"
            sentences.append(
                f"Of the {kind}, {percent(first['error_rate'])} are {wrong} where word overlap is "
                f"lowest ({first['bin']}) and {percent(last['error_rate'])} where it is highest "
                f"({last['bin']}){over}."
            )
    for by, part in means[means["of"] == ALL].groupby("by", sort=False):
        ordered = part.sort_values("error_rate")
        lowest, highest = ordered.iloc[0], ordered.iloc[-1]
        sentences.append(
            f"By {by}, error rates range from {percent(lowest['error_rate'])} ({lowest['bin']}) "
            f"to {percent(highest['error_rate'])} ({highest['bin']}){over}."
        )
    return sentences
