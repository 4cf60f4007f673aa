"""Tables of what annotators' votes allow, and of what the test split and some seeds can show."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.votes import count_voters, label_rule
from measures.ceiling import Ceiling, vote_ceiling
from measures.comparison import RESAMPLES, declared_comparisons
from measures.intervals import Predictions, draw_entities, interval, resample_rate
from measures.power import least_difference

ALL = "all"
ORACLE = "what the votes allow"


def ceiling_of(pairs: pd.DataFrame) -> Ceiling | None:
    """Return what the votes on the test pairs allow; None where they cannot tell.

    That is where fewer than two voted on each pair, or where some label is not that of its votes:
    an oracle on the votes then says nothing of these labels.

    Args:
        pairs: ``Store.pairs``.
    """
    voters = count_voters(pairs)
    if voters < 2:
        return None
    needed, share = label_rule(pairs)
    if share < 1:
        return None
    test = pairs[pairs["split"] == "test"]
    votes = (test["votes"] * voters).round().to_numpy(dtype=int)
    return vote_ceiling(votes, voters, needed)


def accuracy_by_votes(
    test: pd.DataFrame, models: Mapping[str, Predictions], ceiling: Ceiling
) -> pd.DataFrame:
    """Return one row for each model, and for the oracle, and each number of votes that occurs.

    Args:
        test: Test pairs with ``votes`` (their number), in the order of the predictions.
        models: Predictions by the model's name.
        ceiling: Result of ``ceiling_of``.

    Returns:
        ``model``, ``votes`` (a number as text, or ``ALL``), ``pairs``, ``accuracy`` (mean over
        seeds), and ``low`` and ``high``, the 95 % interval over seeds and entities; the oracle's
        accuracy is what is expected of it and has none (NaN).
    """
    votes = test["votes"].to_numpy(dtype=int)
    parts = {f"{number}": votes == number for number in np.unique(votes)}
    parts[ALL] = np.ones(len(votes), dtype=bool)
    rows: list[dict[str, object]] = []
    for model, predictions in models.items():
        right = predictions.decisions == predictions.labels  # (S, N)
        drawn = draw_entities(int(predictions.entities.max()) + 1, RESAMPLES, seed=0)
        for name, among in parts.items():
            rates = resample_rate(right[:, among], predictions.entities[among], drawn, seed=1)
            low, high = interval(rates)
            row = {"accuracy": right[:, among].mean(), "low": low, "high": high}
            rows.append({"model": model, "votes": name, "pairs": int(among.sum()), **row})
    for name, among in parts.items():
        known = ceiling.accuracy if name == ALL else ceiling.accuracy_by_votes[int(name)]
        row = {"accuracy": known, "low": np.nan, "high": np.nan}
        rows.append({"model": ORACLE, "votes": name, "pairs": int(among.sum()), **row})
    return pd.DataFrame(rows)


def seed_deviation(values: pd.Series, arms: pd.Series) -> float:
    """Return the standard deviation over seeds, pooled over arms; NaN if none has two seeds.

    Args:
        values: A score of each trial.
        arms: What the trials of one training have in common, as its freezing mode.
    """
    groups = values.groupby(arms.astype(str).to_numpy())
    freedom = groups.count() - 1
    if not freedom.sum():
        return float("nan")
    return float(np.sqrt((groups.var(ddof=1).fillna(0.0) * freedom).sum() / freedom.sum()))


def least_differences(models: Mapping[str, Predictions], baseline: str) -> pd.DataFrame:
    """Return the least difference in test F1 that the test entities show, smallest first.

    Args:
        models: Predictions by the model's name, those of ``baseline`` among them.
        baseline: Model that a single other is compared with.

    Returns:
        ``model``, ``other``, ``least`` and ``seeds`` (of the model with fewer that has any), one
        row for each two models that are no baseline; if there is only one, for it and the
        baseline. No rows if there is a single entity.
    """
    modes = [name for name in models if name != baseline]
    declared = declared_comparisons(modes, None) or declared_comparisons(modes, baseline)
    entities = models[baseline].entities
    rows = [
        (model, other, least_difference(models[model], models[other], "f1"), min(seeds))
        for model, other in declared
        if entities.max() > 0
        for seeds in [[len(models[name].seeds) for name in (model, other) if name != baseline]]
    ]
    table = pd.DataFrame(rows, columns=["model", "other", "least", "seeds"])
    return table.sort_values("least", ignore_index=True)
