"""The words that a head attended to most, from the weights of their word pieces.

Shapes: T word pieces of a pair with its special tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.segments import FIRST, SECOND
from models.word_pieces import CONTINUATION, SPACE


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

    For a head that aligns, each word of the first definition comes with the word of the second
    that it is most aligned with, in the mean of both directions; for one that pools, words come
    alone.

    Args:
        pieces: T word pieces from ``word_pieces``; those that continue a word begin with "##".
        segments: Kinds of position from ``models.segments``, int (T,).
        weights: Weights from ``Predictor.attend``, float (T,) or (T, T).
        most: Largest number of words.
    """
    first, second = (_words(pieces, segments, kind) for kind in (FIRST, SECOND))
    found = []
    for word, positions in first:
        if weights.ndim == 2:
            forward = [
                weights[np.ix_(positions, other)].sum() / len(positions) for _, other in second
            ]
            backward = [
                weights[np.ix_(other, positions)].sum() / len(other) for _, other in second
            ]
            both = (np.array(forward) + np.array(backward)) / 2
            best = int(both.argmax())
            found.append(Attended(word=word, to=second[best][0], weight=float(both[best])))
    if weights.ndim == 1:
        found = [
            Attended(word=word, to=None, weight=float(weights[positions].sum()))
            for word, positions in (*first, *second)
        ]
    return sorted(found, key=lambda each: -each.weight)[:most]


def _words(pieces: list[str], segments: np.ndarray, kind: int) -> list[tuple[str, list[int]]]:
    """Return the words of one definition, each with the positions of its pieces."""
    words: list[tuple[str, list[int]]] = []
    for position in np.flatnonzero(segments == kind):
        piece = pieces[position]
        if piece.startswith(CONTINUATION) and words:
            word, positions = words[-1]
            words[-1] = (word + piece.removeprefix(CONTINUATION), [*positions, int(position)])
        else:
            words.append((piece.removeprefix(SPACE), [int(position)]))
    return words
