"""Sentences composed from the tables: what the numbers say, and nothing else."""

from __future__ import annotations

import pandas as pd

from analysis.captions import p_value, percent, points, rate, score
from analysis.theme import mode_name

_OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD"}


def about_data(
    balance: pd.DataFrame, auc: pd.DataFrame, sizes: pd.DataFrame, leaks: pd.DataFrame
) -> list[str]:
    """Return what class balance, overlap, entities and leaks mean for the reader."""
    test = balance[balance["split"] == "test"].iloc[0]
    positive = test["positive_share"]
    all_positive = 2 * positive / (1 + positive)
    sentences = [
        f"Of the {test['pairs']} test pairs {percent(positive)} are paraphrases: a classifier "
        f"that calls every pair one scores an F1 of {score(all_positive)} there, so that F1 is "
        "shown beside accuracy and AUC throughout.",
        f"Word overlap alone ranks the test pairs with an AUC of {score(auc['auc'].iloc[-1])}.",
    ]
    named = sizes[sizes["split"] == "test"]
    if len(named):
        largest = named.iloc[0]
        sentences.append(
            f"The test split has {len(named)} entities; the largest, “{largest['group']}”, holds "
            f"{largest['pairs']} pairs or {percent(largest['share'])}. Intervals therefore "
            "resample whole entities."
        )
    found = leaks[leaks["count"] > 0]
    listed = ", ".join(f"{row['check']}: {row['count']}" for _, row in found.iterrows())
    sentences.append(
        f"Checks that should count zero: {listed}."
        if len(found)
        else "All leak checks count zero."
    )
    return sentences


def about_curves(curves: pd.DataFrame, names: list[str]) -> list[str]:
    """Return for each freezing mode where its mean validation loss was lowest."""
    sentences = []
    for mode in names:
        part = curves[curves["freezing"].astype(str) == mode]
        loss = part[part["metric"] == "val_loss"].sort_values("epoch")
        train = part[part["metric"] == "train_loss"].sort_values("epoch")
        lowest = loss.sort_values("mean").iloc[0]
        last = loss.iloc[-1]
        course = (
            "it still fell when training ended"
            if lowest["epoch"] == last["epoch"]
            else f"by epoch {last['epoch']} it had risen to {score(last['mean'])}"
        )
        sentences.append(
            f"With {mode_name(mode)}, train loss went from {score(train['mean'].iloc[0])} to "
            f"{score(train['mean'].iloc[-1])}; validation loss was lowest in epoch "
            f"{lowest['epoch']} ({score(lowest['mean'])}), and {course}."
        )
    return sentences


def about_differences(differences: pd.DataFrame) -> list[str]:
    """Return for each comparison the difference in F1, and whether its interval excludes zero."""
    sentences = []
    for _, row in differences.iterrows():
        low, high = row["f1_low"], row["f1_high"]
        clear = low > 0 or high < 0
        verdict = "gains" if low > 0 else "loses"
        size = points(abs(row["f1"])).lstrip("+")
        model, other = row["model"], row["other"]
        said = (
            f"{model.capitalize()} {verdict} {size} points of test F1 against {other}"
            if clear
            else f"Between {model} and {other} no difference in test F1 is shown "
            f"({points(row['f1'])} points)"
        )
        sentences.append(
            f"{said}, with a 95 % interval from {points(low)} to {points(high)} "
            f"(permutation by entity, Holm-corrected p {_p(row['permutation_p_holm'])}); accuracy "
            f"differs by {points(row['accuracy'])}, AUC by {points(row['auc'])} points."
        )
    return sentences


def _p(value: float) -> str:
    written = p_value(value)
    return written if written.startswith("<") else f"= {written}"


def about_grid(grid: pd.DataFrame, best: pd.DataFrame) -> list[str]:
    """Return the best of each optimizer, warnings about edges, and the cells that failed."""
    sentences = []
    for _, row in best.iterrows():
        name = _OPTIMIZERS.get(row["optimizer"], row["optimizer"])
        sentence = (
            f"With {mode_name(str(row['freezing']))}, {name} did best at a learning rate of "
            f"{rate(row['learning_rate'])}: test F1 {score(row['test_f1'])} at 0.5 and "
            f"{score(row['test_f1_at_threshold'])} at the validation-chosen threshold, accuracy "
            f"{score(row['test_accuracy'])}."
        )
        if row["edge"]:
            sentence += (
                f" That is the {row['edge']} rate of the grid: the true best may lie outside it."
            )
        sentences.append(sentence)
    flagged = grid[grid["flag"] != ""]
    if len(flagged):
        cells = ", ".join(
            f"{_OPTIMIZERS.get(row['optimizer'], row['optimizer'])} {rate(row['learning_rate'])} "
            f"({mode_name(str(row['freezing']))}) {row['flag']}"
            for _, row in flagged.iterrows()
        )
        sentences.append(
            f"{len(flagged)} of {len(grid)} cells did not learn: {cells}. Such a cell gives every "
            "pair the same answer, and its F1 says nothing."
        )
    return sentences


def about_optimism(optimism: pd.DataFrame) -> list[str]:
    """Return how far validation F1 of the chosen trial lies above its test F1."""
    return [
        f"Choosing the best of {row['trials']} trials with {mode_name(str(row['freezing']))} by "
        f"validation F1 gave {score(row['val_f1'])} there and {score(row['test_f1'])} on test at "
        f"the same threshold: a gap of {points(row['gap'])} points, part of it the price of "
        "choosing."
        for _, row in optimism.iterrows()
    ]


def about_errors(rates: pd.DataFrame) -> list[str]:
    """Return for each property of a pair where the mean error rate is lowest and highest."""
    means = rates.groupby(["by", "bin"], sort=False, as_index=False).agg(
        error_rate=("error_rate", "mean")
    )
    sentences = []
    for by, part in means.groupby("by", sort=False):
        ordered = part.sort_values("error_rate")
        lowest, highest = ordered.iloc[0], ordered.iloc[-1]
        sentences.append(
            f"By {by}, errors run from {percent(lowest['error_rate'])} ({lowest['bin']}) to "
            f"{percent(highest['error_rate'])} ({highest['bin']})."
        )
    return sentences


def about_champion(difference: pd.DataFrame) -> list[str]:
    """Return how the champion and its ensemble compare with the baseline on test."""
    sentences = []
    for row in difference.to_dict("records"):
        apart = row["f1_low"] > 0 or row["f1_high"] < 0
        verdict = "the interval excludes 0" if apart else "the interval includes 0"
        sentences.append(
            f"The {row['model']} is {points(row['f1'])} points of F1* from {row['other']} "
            f"[{points(row['f1_low'])}, {points(row['f1_high'])}]: {verdict}; p "
            f"{p_value(row['permutation_p'])} by permuting whole entities."
        )
    return sentences


def about_search(history: pd.DataFrame, importance: pd.DataFrame) -> list[str]:
    """Return how the search went and which parameter mattered most."""
    best = history[history["value"] == history["value"].max()].iloc[0]
    sentences = [
        f"Of {len(history)} finished trials, number {best['number']:.0f} had the best validation "
        f"F1, {score(best['value'])}."
    ]
    if len(importance):
        first = importance.iloc[0]
        sentences.append(
            f"“{first['parameter']}” mattered most: it explains {percent(first['importance'])} of "
            "what the parameters explain of the variance."
        )
    return sentences
