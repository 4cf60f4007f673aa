"""Error rates by properties of a pair, with intervals over seeds and whole entities.

Shapes: S seeds, N test pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from analysis.theme import CLASS_NAMES
from measures.comparison import RESAMPLES
from measures.intervals import Predictions, draw_entities, interval, resample_rate

OVERLAP = "word overlap"
ALL = "all pairs"
Bins = tuple[np.ndarray, list[str]]  # the number of each pair's bin, and the bins' names
_MOST_BINS = 6  # numbers of votes that have a bin each; quartiles otherwise


def error_rates(test: pd.DataFrame, models: Mapping[str, Predictions]) -> pd.DataFrame:
    """Return the error rate, mean over seeds, in bins of four properties of a pair.

    For word overlap the two classes have rates of their own: false positives grow with it while
    false negatives fall. A property with a single bin is left out.

    Args:
        test: Test pairs with ``overlap``, ``votes`` and ``voters`` (numbers), ``pieces``,
            ``group`` and ``label``, in the order of the predictions.
        models: Predictions of each freezing mode, at the thresholds chosen on validation.

    Returns:
        ``model``, ``by`` (the property), ``of`` (all pairs, or those of a class), ``bin`` and
        its ``place`` from 0, ``pairs`` (their number), ``error_rate`` in [0, 1], and ``low``
        and ``high``, the 95 % interval.
    """
    everything = pd.Series(ALL, index=test.index)
    splits = {OVERLAP: test["label"].map(CLASS_NAMES)}
    rows = []
    for model, predictions in models.items():
        for by, bins in _bins(test).items():
            of = splits.get(by, everything)
            for name in sorted(set(of)):
                found = _rates(predictions, bins, (of == name).to_numpy())
                rows += [{"model": model, "by": by, "of": name, **row} for row in found]
    columns = ["model", "by", "of", "bin", "place", "pairs", "error_rate", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _rates(predictions: Predictions, bins: Bins, among: np.ndarray) -> list[dict[str, object]]:
    """Return a row for each bin that has a pair; ``among`` tells which pairs count, bool (N,)."""
    codes, names = bins
    wrong = predictions.decisions != predictions.labels  # (S, N)
    drawn = draw_entities(int(predictions.entities.max()) + 1, RESAMPLES, seed=0)
    rows = []
    for place, name in enumerate(names):
        chosen = (codes == place) & among
        if chosen.any():
            rates = resample_rate(wrong[:, chosen], predictions.entities[chosen], drawn, seed=1)
            low, high = interval(rates)
            row = {
                "bin": name,
                "place": place,
                "pairs": int(chosen.sum()),
                "low": low,
                "high": high,
            }
            rows.append({**row, "error_rate": wrong[:, chosen].mean()})
    return rows


def _bins(test: pd.DataFrame) -> dict[str, Bins]:
    """Return the bin of each pair by each property that has several."""
    sizes = test["group"].map(test["group"].value_counts())
    found = {
        OVERLAP: _quartiles(test["overlap"], ".2f"),
        f"votes for paraphrase (of {test['voters'].iloc[0]})": _vote_bins(test),
        "word pieces": _quartiles(test["pieces"], ".0f"),
        "pairs of the entity": _quartiles(sizes, ".0f"),
    }
    return {by: bins for by, bins in found.items() if len(bins[1]) > 1}


def _vote_bins(test: pd.DataFrame) -> Bins:
    """Return the number of votes of each pair as its bin; no bins if votes are unknown."""
    votes = test["votes"]
    numbers = np.unique(votes.dropna())
    if len(numbers) > _MOST_BINS:
        return _quartiles(votes, ".0f")
    return np.searchsorted(numbers, votes), [f"{number:.0f}" for number in numbers]


def _quartiles(values: pd.Series, style: str) -> Bins:
    """Return each value's quartile as its bin, named by its ends; equal values share one."""
    if values.nunique() == 1:
        return np.zeros(len(values), dtype=int), ["all"]
    codes, edges = pd.qcut(values, 4, labels=False, retbins=True, duplicates="drop")
    return np.asarray(codes, dtype=int), _names(edges, style)


def _names(edges: np.ndarray, style: str) -> list[str]:
    """Return the names of the bins between edges, with as many digits as tell them apart."""
    found: list[str] = []
    for tried in (style, ".4g", ""):
        found = [f"{low:{tried}} to {high:{tried}}" for low, high in pairwise(edges)]
        if len(set(found)) == len(found):
            break
    return found
