"""Word overlap of two definitions, and the features of a pair that are made from it.

Shapes: N pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

FEATURES = 27  # number of features that overlap_features returns for a pair
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def content_words(text: str) -> set[str]:
    """Return the set of a text's words without English stop words."""
    # importing scikit-learn takes most of a second, and few trials use these features
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return set(words(text)) - ENGLISH_STOP_WORDS


def jaccard(first: set[str], second: set[str]) -> float:
    """Return the Jaccard index: common elements over all elements; 0 if both sets are empty."""
    union = len(first | second)
    return len(first & second) / union if union else 0.0


def word_overlap(firsts: Iterable[str], seconds: Iterable[str]) -> np.ndarray:
    """Return the Jaccard index of the two definitions' words for each pair, float (N,)."""
    columns = zip(firsts, seconds, strict=True)
    return np.array([jaccard(set(words(a)), set(words(b))) for a, b in columns])


def overlap_features(firsts: Iterable[str], seconds: Iterable[str]) -> np.ndarray:
    """Return features that do not change if a pair's definitions are swapped, float (N, 27).

    For the sets of words, content words, word pairs and triples, and character n-grams of length
    2 to 5: the Jaccard index, and the shared elements as a fraction of the smaller and of the
    larger set. Then the shorter and the longer length in words, and their difference.
    """
    columns = zip(firsts, seconds, strict=True)
    return np.array([_pair_features(a, b) for a, b in columns])


def _pair_features(first: str, second: str) -> list[float]:
    features: list[float] = []
    left, right = words(first), words(second)
    joined = " ".join(left), " ".join(right)
    sets = [(set(left), set(right)), (content_words(first), content_words(second))]
    sets += [(_ngrams(left, n), _ngrams(right, n)) for n in (2, 3)]
    sets += [(_ngrams(list(joined[0]), n), _ngrams(list(joined[1]), n)) for n in (2, 3, 4, 5)]
    for a, b in sets:
        shared = len(a & b)
        smaller, larger = sorted((len(a), len(b)))
        features += [jaccard(a, b), shared / max(smaller, 1), shared / max(larger, 1)]
    lengths = sorted((len(left), len(right)))
    return [*features, lengths[0], lengths[1], lengths[1] - lengths[0]]


def _ngrams(items: list[str], size: int) -> set[str]:
    return {"\0".join(items[i : i + size]) for i in range(len(items) - size + 1)}
