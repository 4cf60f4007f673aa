"""What annotators' votes allow: scores of an oracle that knows how a pair divides annotators.

A share p of all annotators would call a pair a paraphrase; p differs between pairs as a beta
distribution, and a panel of V annotators votes. A pair's label says whether at least K of its
panel voted for it. The oracle knows each p and nothing of the panel: its errors are the luck of
who was asked, which no classifier can foresee.

Shapes: N pairs, P points of p.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import beta, betabinom, binom

_POINTS = 20_000  # of p, equally likely


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """Expected scores on labels that a panel of annotators gave.

    Attributes:
        accuracy: That of the oracle that takes the likelier label of each pair.
        f1: That of the oracle at the cut of p where its expected F1 is highest.
        agreement: Share of pairs to which a fresh panel of the same size gives the same label.
        accuracy_by_votes: The first oracle's among pairs with 0, 1 ... V votes, float (V + 1,).
    """

    accuracy: float
    f1: float
    agreement: float
    accuracy_by_votes: np.ndarray


def fit_votes(votes: np.ndarray, voters: int) -> tuple[float, float]:
    """Return the two parameters of the beta-binomial distribution most likely to give the votes.

    Args:
        votes: Number of votes for paraphrase of each pair, int (N,), from 0 to ``voters``.
        voters: Size of the panel V, at least 2: one vote tells nothing of a second.

    Raises:
        ValueError: If ``voters`` is below 2.
    """
    if voters < 2:
        raise ValueError(f"voters: must be at least 2, got {voters}")
    counts = np.bincount(votes, minlength=voters + 1)

    def cost(logarithms: np.ndarray) -> float:
        chances = betabinom.logpmf(np.arange(voters + 1), voters, *np.exp(logarithms))
        return -float(counts @ chances) / len(votes)

    bounds = [(-7.0, 7.0)] * 2  # unanimous votes have no finite maximum
    first, second = np.exp(minimize(cost, [0.0, 0.0], method="L-BFGS-B", bounds=bounds).x)
    return float(first), float(second)


def vote_ceiling(votes: np.ndarray, voters: int, needed: int) -> Ceiling:
    """Return the expected scores of the oracle under the fitted beta-binomial distribution.

    Args:
        votes: Number of votes for paraphrase of each pair, int (N,).
        voters: Size of the panel V, at least 2.
        needed: Votes K that make a pair a paraphrase, from 1 to ``voters``.
    """
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    p = beta.ppf(shares, *fit_votes(votes, voters))  # (P,)
    positive = np.asarray(binom.sf(needed - 1, voters, p))  # chance of the label 1, rising with p
    counts = np.arange(voters + 1)
    chances = np.asarray(binom.pmf(counts[:, None], voters, p))  # (V + 1, P)
    right = (positive >= 0.5) == (counts[:, None] >= needed)
    found = positive[::-1].cumsum()  # expected true positives if the first i are called positive
    f1 = 2 * found / (np.arange(1, _POINTS + 1) + positive.sum())
    return Ceiling(
        accuracy=float(np.maximum(positive, 1 - positive).mean()),
        f1=float(f1.max()),
        agreement=float((positive**2 + (1 - positive) ** 2).mean()),
        accuracy_by_votes=(chances * right).sum(axis=1) / chances.sum(axis=1),
    )
