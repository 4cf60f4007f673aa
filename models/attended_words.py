"""Which words a head attended to: weights of word pieces as weights of words.

Shapes: T word pieces of a pair with its special tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.segments import FIRST, SECOND

_INSIDE = "##"  # before a piece that goes on with a word


@dataclass(frozen=True, kw_only=True, slots=True)
class Attended:
    """A word of one definition, what it attended to in the other (or None), and how much."""

    word: str
    to: str | None
    weight: float


def attended_words(
    pieces: list[str], segments: np.ndarray, weights: np.ndarray, most: int = 8
) -> list[Attended]:
    """Return the words with the highest weights, the highest first.

    Of a head that aligns, each word of the first definition with the word of the second that it
    is most aligned with, in the mean of both directions; of one that pools, single words.

    Args:
        pieces: Word pieces (T,), a word's later ones marked as BERT does.
        segments: Their kinds of position from ``models.segments``, (T,).
        weights: From ``Predictor.attend``, (T,) or (T, T).
        most: How many words at most.
    """
    first, second = (_words(pieces, segments, kind) for kind in (FIRST, SECOND))
    found = []
    for word, positions in first:
        if weights.ndim == 2:
            there = [
                weights[np.ix_(positions, other)].sum() / len(positions) for _, other in second
            ]
            back = [weights[np.ix_(other, positions)].sum() / len(other) for _, other in second]
            both = (np.array(there) + np.array(back)) / 2
            best = int(both.argmax())
            found.append(Attended(word=word, to=second[best][0], weight=float(both[best])))
    if weights.ndim == 1:
        found = [
            Attended(word=word, to=None, weight=float(weights[positions].sum()))
            for word, positions in (*first, *second)
        ]
    return sorted(found, key=lambda each: -each.weight)[:most]


def _words(pieces: list[str], segments: np.ndarray, kind: int) -> list[tuple[str, list[int]]]:
    """Return the words of one definition, and where their pieces stand."""
    words: list[tuple[str, list[int]]] = []
    for position in np.flatnonzero(segments == kind):
        piece = pieces[position]
        if piece.startswith(_INSIDE) and words:
            word, positions = words[-1]
            words[-1] = (word + piece.removeprefix(_INSIDE), [*positions, int(position)])
        else:
            words.append((piece, [int(position)]))
    return words
