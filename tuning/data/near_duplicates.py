"""Near-duplicate texts among many, found through an index of their rarest words.

Two texts are nearly equal if the Jaccard index of their words is at least 0.9, without regard to
case, punctuation and order.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"\w+")


def near_duplicates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the positions of two nearly equal texts, for enough of them to connect all.

    Sets of n and m words that must share k of them have in common one of the n - k + 1 and
    m - k + 1 words that are rarest among all; only such sets are compared (prefix filtering, as in
    PPJoin by Xiao et al., 2008).

    Args:
        texts: Texts after cleaning.
    """
    seen: dict[frozenset[str], int] = {}
    for position, text in enumerate(texts):
        first = seen.setdefault(_words(text), position)
        if first != position:
            yield first, position
    counts = Counter(word for words in seen for word in words)
    index: defaultdict[tuple[str, int], list[frozenset[str]]] = defaultdict(list)
    for words in sorted(seen, key=len):
        size = len(words)
        rarest = sorted(words, key=lambda word: (counts[word], word))
        for smaller in range(-(-9 * size // 10), size + 1):
            least = _least_shared(size, smaller)
            keys = [(word, smaller) for word in rarest[: size - least + 1]]
            for other in {other for key in keys for other in index.get(key, ())}:
                if len(words & other) >= least:
                    yield seen[other], seen[words]
        for word in rarest[: size - _least_shared(size, size) + 1]:
            index[word, size].append(words)


def _words(text: str) -> frozenset[str]:
    folded = text.casefold()
    return frozenset(_WORD.findall(folded) or [folded])


def _least_shared(size: int, other: int) -> int:
    """Return the fewest common words with which sets of these sizes have an index of 0.9."""
    return -(-9 * (size + other) // 19)
