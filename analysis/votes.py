"""Votes of annotators: how many voted, what they said, and how labels follow from it.

``pairs`` is ``Store.pairs``; its ``votes`` is the share that voted for paraphrase, NaN if unknown.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

_MOST_VOTERS = 100  # looked for in logs that do not say how many voted


def count_voters(pairs: pd.DataFrame) -> int:
    """Return how many annotators voted on each pair; 0 if votes are unknown.

    Where the log does not say it, it is the smallest number of which all shares are fractions.
    """
    if pairs["votes"].isna().any():
        return 0
    if "voters" in pairs:
        return int(pairs["voters"].iloc[0])
    counts = np.arange(1, _MOST_VOTERS + 1)
    products = np.unique(pairs["votes"].to_numpy(dtype=float)) * counts[:, None]
    fitting = counts[(np.abs(products - products.round()) < 1e-3).all(axis=1)]
    return int(fitting[0]) if len(fitting) else 0


def vote_numbers(pairs: pd.DataFrame) -> pd.Series:
    """Return the number of votes for paraphrase of each pair; NaN if votes are unknown."""
    return (pairs["votes"] * (count_voters(pairs) or np.nan)).round()


def label_rule(pairs: pd.DataFrame) -> tuple[int, float]:
    """Return the number of votes that makes a pair a paraphrase, and the share that this fits.

    Args:
        pairs: Pairs with votes.
    """
    votes, labels = vote_numbers(pairs).to_numpy(), pairs["label"].to_numpy()
    numbers = np.arange(1, count_voters(pairs) + 1)
    fits = ((votes >= numbers[:, None]) == (labels == 1)).mean(axis=1)
    return int(numbers[fits.argmax()]), float(fits.max())
