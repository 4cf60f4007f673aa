"""Sentences on what votes allow and on what seeds and test pairs can show, from tables alone."""

from __future__ import annotations

import math

import pandas as pd

from analysis.captions import percent, points, score
from analysis.ceiling_tables import ALL, ORACLE
from measures.ceiling import Ceiling
from measures.power import MOST_SEEDS, seeds_needed

_HALF_A_POINT = 0.005
_CONVENTION = "with a chance of 80 %, by a two-sided test at the level .05 (Cohen, 1988)"


def about_ceiling(ceiling: Ceiling, accuracies: pd.DataFrame, voters: int) -> list[str]:
    """Return what the votes allow, and where by votes the models' errors lie.

    Args:
        ceiling: Result of ``ceiling_of``.
        accuracies: Table ``accuracy_by_votes``.
        voters: Number of votes on each pair.
    """
    models = accuracies[accuracies["model"] != ORACLE]
    reached = "; ".join(
        f"{score(row['accuracy'])} with {row['model']}"
        for _, row in models[models["votes"] == ALL].iterrows()
    )
    known = models[models["votes"] != ALL]
    agreed = known["votes"].isin(["0", f"{voters}"])
    sentences = [
        "What the votes allow, by a beta-binomial distribution fitted to those on the test pairs: "
        "who knew how all annotators divide over each pair would have an expected accuracy of "
        f"{score(ceiling.accuracy)} and an F1 of {score(ceiling.f1)} on these labels, and a fresh "
        f"panel of {voters} would give the same label to {percent(ceiling.agreement)} of the "
        f"pairs. Accuracy at the threshold chosen on validation is {reached}."
    ]
    if agreed.any() and not agreed.all():
        alike, split = (_mean(known[rows]) for rows in (agreed, ~agreed))
        sentences.append(
            f"Where all {voters} annotators agreed, accuracy is {score(alike)}, elsewhere "
            f"{score(split)} (mean over the models): the label of a pair that divides "
            "annotators is in part the luck of who was asked."
        )
    return sentences


def _mean(rows: pd.DataFrame) -> float:
    """Return the accuracy over the pairs of all rows."""
    return float((rows["accuracy"] * rows["pairs"]).sum() / rows["pairs"].sum())


def about_seeds(deviation: float, measure: str) -> list[str]:
    """Return how many seeds half a point needs; nothing if no training has two seeds.

    Args:
        deviation: Result of ``seed_deviation``.
        measure: Words for the score.
    """
    if math.isnan(deviation) or deviation == 0:
        return []
    needed = seeds_needed(deviation, _HALF_A_POINT)
    count = f"more than {MOST_SEEDS}" if needed == MOST_SEEDS else f"{needed}"
    return [
        f"{measure[0].upper()}{measure[1:]} varies over seeds with a standard deviation of "
        f"{points(deviation).lstrip('+')} points: half a point between two trainings is found "
        f"{_CONVENTION}, with {count} seeds of each. More seeds do not make up for few validation "
        "entities, which all trainings share."
    ]


def about_power(least: pd.DataFrame, entities: int) -> list[str]:
    """Return the least difference in F1 that the test split shows, however many seeds are run.

    Args:
        least: Table ``least_differences``.
        entities: Number of test entities.
    """
    known = least[least["least"] > 0]  # else the entities' share of it is lost in the seeds'
    if not len(known):
        return []
    first = known.iloc[0]
    several = first["seeds"] > 1
    found = (
        f"{'However many seeds are run, the' if several else 'The'} {entities} entities of the "
        f"test split show no difference in test F1 below {points(first['least']).lstrip('+')} "
        f"points between {first['model']} and {first['other']}: that is 2.8 standard errors of "
        f"their difference over resampled entities, what is found {_CONVENTION}."
    )
    alone = (
        " It is of these very runs, of which one has a single seed; means over several seeds can "
        "show smaller ones."
    )
    return [found if several else found + alone]
