"""Near-duplicate texts among many, found through an index of their rarest words.

Two texts are nearly equal if the Jaccard index of their words is at least 0.9, without regard to
case, punctuation and order.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"\w+")
_TENTHS = 9  # the least Jaccard index, in tenths: whole numbers compare exactly


def near_duplicates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the positions of two nearly equal texts, for enough of them to connect all.

    Only sets of words that have one of their rarest words in common are compared: of n words, all
    but 0.9 n and one more (prefix filtering, Bayardo et al., 2007).

    Args:
        texts: Texts after cleaning.
    """
    seen: dict[frozenset[str], int] = {}
    for position, text in enumerate(texts):
        first = seen.setdefault(_words(text), position)
        if first != position:
            yield first, position
    counts = Counter(word for words in seen for word in words)
    index: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
    for words in sorted(seen, key=len):
        rarest = sorted(words, key=lambda word: (counts[word], word))
        prefix = rarest[: len(words) - _least(len(words)) + 1]
        for other in {other for word in prefix for other in index[word]}:
            if _nearly_equal(words, other):
                yield seen[other], seen[words]
        for word in prefix:
            index[word].append(words)


def _words(text: str) -> frozenset[str]:
    folded = text.casefold()
    return frozenset(_WORD.findall(folded) or [folded])


def _least(size: int) -> int:
    """Return the fewest words that a set of ``size`` words shares with one nearly equal to it."""
    return -(-size * _TENTHS // 10)


def _nearly_equal(words: frozenset[str], other: frozenset[str]) -> bool:
    if len(other) < _least(len(words)):
        return False
    shared = len(words & other)
    return 10 * shared >= _TENTHS * (len(words) + len(other) - shared)
