"""Sentences of the report, composed from its tables alone."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from analysis.captions import p_value, percent, points, score
from analysis.run_tables import claimed, validation_loss
from analysis.theme import mode_name
from analysis.votes import count_voters, label_rule
from measures.comparison import LEVEL

NO_TELLING_WORDS = (
    "No word of the train split is more typical of one class than of the other: there is no "
    "figure of such words."
)
NO_CURVES = "The log has no epochs of these trials: there is no figure of their training."
CHOSEN = "at the threshold chosen on validation"


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
        sentences.append(f"{_about_sizes(named)} Intervals therefore resample whole entities.")
    if sizes["pairs"].nunique() == 1:
        sentences.append(
            "All entities of all splits have as many pairs: there is no figure of their sizes."
        )
    found = leaks[leaks["count"] > 0]
    listed = ", ".join(f"{row['check']}: {row['count']}" for _, row in found.iterrows())
    sentences.append(
        f"Checks for duplicates and leaks that are not 0: {listed}."
        if len(found)
        else "All checks for duplicates and leaks are 0."
    )
    return sentences


def _about_sizes(sizes: pd.DataFrame) -> str:
    """Return how many entities the test split has, and which is the largest if one is."""
    count, largest = len(sizes), sizes.iloc[0]
    opening = f"The test split has {count} entities"
    if count == 1:
        return f"All test pairs with an entity are about one, “{largest['group']}”."
    size = "1 pair" if largest["pairs"] == 1 else f"{largest['pairs']} pairs"
    if sizes["pairs"].nunique() == 1:
        return f"{opening} with {size} each."
    ties = int((sizes["pairs"] == largest["pairs"]).sum())
    if ties > 1:
        return f"{opening}; the {ties} largest have {size} each."
    share = percent(largest["share"])
    return f"{opening}; the largest, “{largest['group']}”, has {size} ({share})."


def about_labels(pairs: pd.DataFrame) -> list[str]:
    """Return how labels follow from votes; nothing if votes are unknown."""
    voters = count_voters(pairs)
    if not voters:
        return []
    least, share = label_rule(pairs)
    fits = "every pair" if share == 1 else f"{percent(share)} of the pairs"
    return [
        f"{voters} annotators voted on each pair, and {least} or more votes make it a paraphrase: "
        f"this is true of {fits}."
    ]


def about_curves(curves: pd.DataFrame, names: list[str]) -> list[str]:
    """Return for each freezing mode how the losses developed over the epochs.

    Args:
        curves: Table ``curves``.
        names: Freezing modes, in the order of the sentences.
    """
    sentences = []
    for mode in names:
        part = curves[curves["freezing"].astype(str) == mode]
        loss = part[part["metric"] == validation_loss(curves)].sort_values("epoch")
        train = part[part["metric"] == "train_loss"].sort_values("epoch")
        lowest = loss.sort_values("mean").iloc[0]
        last = loss.iloc[-1]
        if len(loss) == 1:
            ending = ", the only one"
        elif lowest["epoch"] == last["epoch"]:
            ending = " and was still falling when training ended"
        else:
            ending = f" and had risen to {score(last['mean'])} by epoch {last['epoch']}"
        sentences.append(
            f"With {mode_name(mode)}, train loss went from {score(train['mean'].iloc[0])} to "
            f"{score(train['mean'].iloc[-1])}; validation loss was lowest in epoch "
            f"{lowest['epoch']} ({score(lowest['mean'])}){ending}."
        )
    return sentences


def about_differences(differences: pd.DataFrame, where: str) -> list[str]:
    """Return for each comparison the difference in F1, what is claimed, and the other scores.

    Args:
        differences: Table of ``measures.comparison.differences``.
        where: Words for the threshold: ``at 0.5``.
    """
    sentences = []
    for (_, row), claim_made in zip(differences.iterrows(), claimed(differences), strict=True):
        model, other = row["model"], row["other"]
        size = points(abs(row["f1"])).lstrip("+")
        if claim_made:
            comparative = "higher" if row["f1"] > 0 else "lower"
            claim = (
                f"Test F1 {where} is {size} points {comparative} with {model} than with {other}"
            )
        else:
            claim = (
                f"No difference in test F1 {where} is shown between {model} and {other}: "
                f"{points(row['f1'])} points"
            )
        changes = ", ".join(_change(row, name) for name in ("precision", "recall", "accuracy"))
        sentences.append(f"{claim} ({_evidence(row)}). {changes[0].upper()}{changes[1:]}.")
    return sentences


def _evidence(row: pd.Series) -> str:
    """Return the interval of F1 and its corrected p, or why there is none."""
    if pd.isna(row["f1_low"]):
        return "no interval: all test pairs are of one entity"
    interval = f"95 % interval {points(row['f1_low'])} to {points(row['f1_high'])}"
    if pd.isna(row["f1_p_holm"]):
        return f"{interval}, of entities alone and too narrow: one seed tells nothing of others"
    return f"{interval}, not corrected; Holm-corrected p {_comparison(row['f1_p_holm'])}"


def _change(row: pd.Series, metric: str) -> str:
    """Return whether a score gains or loses, which is said only if its corrected p is small."""
    size, value = points(abs(row[metric])).lstrip("+"), row[f"{metric}_p_holm"]
    if value < LEVEL:
        verb = "gains" if row[metric] > 0 else "loses"
        return f"{metric} {verb} {size} points (p {_comparison(value)})"
    told = f"{metric} differs by {points(row[metric])} points"
    return told if pd.isna(value) else f"{told}, no gain or loss shown (p {_comparison(value)})"


def _comparison(value: float) -> str:
    """Return a p-value with its sign: '= .031' or '< .001'."""
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def about_search(history: pd.DataFrame, importance: pd.DataFrame, measure: str) -> list[str]:
    """Return which trial was best, and which parameter mattered most if that can be told.

    Args:
        history: Table ``search_history``, at least one row.
        importance: Table ``parameter_importance``.
        measure: Words for what the trials are ranked by.
    """
    if history["best"].isna().all():
        sentences = [f"All {len(history)} finished trials are flagged: none is called best."]
    else:
        best = history.iloc[int(history["best"].argmax())]
        sentences = [
            f"Of {len(history)} finished trials, number {best['number']:.0f} had the best "
            f"{measure}, {score(best['best'])}."
        ]
    if len(importance):
        sentences.append(_about_importance(*importance.head(2).to_dict("records")))
    return sentences


def _about_importance(
    first: dict[Hashable, Any], second: dict[Hashable, Any] | None = None
) -> str:
    """Return which parameter mattered most, if its interval lies above that of the second."""
    share = (
        f"{percent(first['importance'])} of the total importance of all parameters (95 % interval "
        f"over trials {percent(first['low'])} to {percent(first['high'])})"
    )
    if second is None or first["low"] > second["high"]:
        return f"“{first['parameter']}” mattered most: it has {share}."
    return (
        f"Which parameter mattered most cannot be told: “{first['parameter']}” has {share}, and "
        f"that of “{second['parameter']}”, {percent(second['low'])} to {percent(second['high'])}, "
        "overlaps it."
    )


def about_ensemble(ensemble: pd.DataFrame) -> list[str]:
    """Return what a greedy ensemble would bring, as validation tells.

    Args:
        ensemble: Table that the search logged: one row.
    """
    (row,) = ensemble.to_dict("records")
    if pd.isna(row.get("p", np.nan)):  # logs of earlier versions
        verdict = "not tested"
    elif row["p"] < LEVEL:
        verdict = f"it {'helps' if row['gain'] > 0 else 'hurts'} (p {_comparison(row['p'])})"
    else:
        verdict = f"cannot be told (p {_comparison(row['p'])})"
    return [
        f"A greedy ensemble of the {row['candidates']} confirmed classifiers (Caruana et al., "
        "2004), selected on four fifths of the validation entities and judged on the others, has "
        f"an AUC of {score(row['auc'])} there; the mean of the champion's seeds, which were "
        f"chosen on all of them, {score(row['reference_auc'])}: {points(row['gain'])} points "
        f"(95 % interval over entities {points(row['low'])} to {points(row['high'])}): {verdict}. "
        "It was not scored on test."
    ]
