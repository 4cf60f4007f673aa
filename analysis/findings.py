"""Sentences of the report, composed from its tables alone."""

from __future__ import annotations

import pandas as pd

from analysis.captions import p_value, percent, points, rate, score
from analysis.theme import mode_name, optimizer_name
from measures.objective import MEANINGS


def about_data(
    balance: pd.DataFrame, auc: pd.DataFrame, sizes: pd.DataFrame, leaks: pd.DataFrame
) -> list[str]:
    """Return sentences on class balance, overlap, entities and leaks.

    Args:
        balance: Table ``class_balance``.
        auc: Table ``overlap_auc``, with the test split last.
        sizes: Table ``entity_sizes``.
        leaks: Table ``leaks``.
    """
    test = balance[balance["split"] == "test"].iloc[0]
    positive = test["positive_share"]
    all_positive = 2 * positive / (1 + positive)
    sentences = [
        f"Of the {test['pairs']} test pairs, {percent(positive)} are paraphrases: a classifier "
        f"that labels every pair a paraphrase has a test F1 of {score(all_positive)}. F1 is "
        "therefore shown together with accuracy and AUC.",
        f"Word overlap alone ranks the test pairs with an AUC of {score(auc['auc'].iloc[-1])}.",
    ]
    named = sizes[sizes["split"] == "test"]
    if len(named):
        largest = named.iloc[0]
        sentences.append(
            f"The test split has {len(named)} entities; the largest, “{largest['group']}”, has "
            f"{largest['pairs']} pairs ({percent(largest['share'])}). Intervals therefore "
            "resample whole entities."
        )
    found = leaks[leaks["count"] > 0]
    listed = ", ".join(f"{row['check']}: {row['count']}" for _, row in found.iterrows())
    sentences.append(
        f"Checks for duplicates and leaks that are not 0: {listed}."
        if len(found)
        else "All checks for duplicates and leaks are 0."
    )
    return sentences


def about_curves(curves: pd.DataFrame, names: list[str]) -> list[str]:
    """Return for each freezing mode how the losses developed over the epochs.

    Args:
        curves: Table ``curves``.
        names: Freezing modes, in the order of the sentences.
    """
    sentences = []
    for mode in names:
        part = curves[curves["freezing"].astype(str) == mode]
        loss = part[part["metric"] == "val_loss"].sort_values("epoch")
        train = part[part["metric"] == "train_loss"].sort_values("epoch")
        lowest = loss.sort_values("mean").iloc[0]
        last = loss.iloc[-1]
        ending = (
            "was still falling when training ended"
            if lowest["epoch"] == last["epoch"]
            else f"had risen to {score(last['mean'])} by epoch {last['epoch']}"
        )
        sentences.append(
            f"With {mode_name(mode)}, train loss went from {score(train['mean'].iloc[0])} to "
            f"{score(train['mean'].iloc[-1])}; validation loss was lowest in epoch "
            f"{lowest['epoch']} ({score(lowest['mean'])}) and {ending}."
        )
    return sentences


def about_differences(differences: pd.DataFrame) -> list[str]:
    """Return for each comparison the difference in F1, and whether its interval excludes zero."""
    sentences = []
    for _, row in differences.iterrows():
        low, high = row["f1_low"], row["f1_high"]
        model, other = row["model"], row["other"]
        size = points(abs(row["f1"])).lstrip("+")
        if low > 0 or high < 0:
            comparative = "higher" if low > 0 else "lower"
            claim = f"Test F1 is {size} points {comparative} with {model} than with {other}"
        else:
            claim = (
                f"No difference in test F1 is shown between {model} and {other}: "
                f"{points(row['f1'])} points"
            )
        sentences.append(
            f"{claim} (95 % interval {points(low)} to {points(high)}; permutation test of whole "
            f"entities, Holm-corrected p {_comparison(row['permutation_p_holm'])}). Accuracy "
            f"differs by {points(row['accuracy'])} and AUC by {points(row['auc'])} points."
        )
    return sentences


def _comparison(value: float) -> str:
    """Return a p-value with its sign: '= .031' or '< .001'."""
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def about_grid(grid: pd.DataFrame, best: pd.DataFrame) -> list[str]:
    """Return the best of each optimizer, warnings about the grid's edges, and the failed cells.

    Args:
        grid: Table ``grid_scores``.
        best: Table ``best_of_each_optimizer``.
    """
    sentences = []
    for _, row in best.iterrows():
        sentence = (
            f"With {mode_name(str(row['freezing']))}, {optimizer_name(row['optimizer'])} did best "
            f"at a learning rate of {rate(row['learning_rate'])}: test F1 "
            f"{score(row['test_f1'])} at 0.5 and {score(row['test_f1_at_threshold'])} at the "
            f"threshold chosen on validation, accuracy {score(row['test_accuracy'])} at 0.5."
        )
        if row["edge"]:
            sentence += (
                f" That is the {row['edge']} rate of the grid: the true best may lie outside it."
            )
        sentences.append(sentence)
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
            + " ".join(MEANINGS[flag] for flag in MEANINGS if (flagged["flag"] == flag).any())
        )
    return sentences


def about_optimism(optimism: pd.DataFrame) -> list[str]:
    """Return how far the validation F1 of the chosen trial lies above its test F1."""
    return [
        f"The best of {row['trials']} trials with {mode_name(str(row['freezing']))}, chosen by "
        f"validation F1, reached {score(row['val_f1'])} on validation and "
        f"{score(row['test_f1'])} on test at the same threshold: a gap of {points(row['gap'])} "
        "points, part of which is due to the choice itself."
        for _, row in optimism.iterrows()
    ]


def about_errors(rates: pd.DataFrame) -> list[str]:
    """Return for each property of a pair where the mean error rate is lowest and highest.

    A property whose pairs are all in one bin has no sentence.

    Args:
        rates: Table ``error_rates``.
    """
    means = rates.groupby(["by", "bin"], sort=False, as_index=False).agg(
        error_rate=("error_rate", "mean")
    )
    sentences = []
    for by, part in means.groupby("by", sort=False):
        ordered = part.sort_values("error_rate")
        if len(part) == 1:
            continue
        lowest, highest = ordered.iloc[0], ordered.iloc[-1]
        sentences.append(
            f"By {by}, error rates range from {percent(lowest['error_rate'])} ({lowest['bin']}) "
            f"to {percent(highest['error_rate'])} ({highest['bin']})."
        )
    return sentences


def about_search(history: pd.DataFrame, importance: pd.DataFrame) -> list[str]:
    """Return which trial was best and which parameter mattered most.

    Args:
        history: Table ``search_history``, at least one row.
        importance: Table ``parameter_importance``.
    """
    if history["best"].isna().all():
        sentences = [f"All {len(history)} finished trials are flagged: none is called best."]
    else:
        best = history.iloc[int(history["best"].argmax())]
        sentences = [
            f"Of {len(history)} finished trials, number {best['number']:.0f} had the best "
            f"validation F1, {score(best['best'])}."
        ]
    if len(importance):
        first = importance.iloc[0]
        sentences.append(
            f"“{first['parameter']}” mattered most: it has {percent(first['importance'])} of the "
            "total importance of all parameters."
        )
    return sentences


def about_champion(difference: pd.DataFrame) -> list[str]:
    """Return how the champion and its ensemble compare with the baseline on test.

    Args:
        difference: Table that the search logged: one row per comparison with the baseline.
    """
    sentences = []
    for row in difference.to_dict("records"):
        excluded = row["f1_low"] > 0 or row["f1_high"] < 0
        ending = "it excludes 0" if excluded else "it includes 0"
        sentences.append(
            f"At the threshold chosen on validation, test F1 of the {row['model']} differs from "
            f"that of {row['other']} by {points(row['f1'])} points (95 % interval "
            f"{points(row['f1_low'])} to {points(row['f1_high'])}: {ending}; permutation test of "
            f"whole entities, p {_comparison(row['permutation_p'])})."
        )
    return sentences
