"""Occlusion: how the log-odds of a pair change when each of its words is deleted in turn.

A word's change says what the classifier's answer owes to it (Zeiler and Fergus, 2014; Li, Monroe
and Jurafsky, 2016); unlike an attention weight it is measured on the answer itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.pair_checks import PairError
from models.predictor import Predictor

_LOWEST = np.finfo(np.float64).tiny  # a probability of 0 has no log-odds

Change = tuple[str, float | None]
Words = tuple[list[str], list[str]]  # of both texts
Place = tuple[int, int]  # of a word: 0 for the first text or 1 for the second, and where in it


@dataclass(frozen=True, kw_only=True, slots=True)
class Occlusion:
    """What each word of a pair does to the answer, in log-odds of a paraphrase (nats).

    ``log_odds`` are those of the whole pair. ``first`` and ``second`` hold the words of the texts
    as they are written, each with the change that deleting it alone makes: above 0 if the pair
    then looks more like a paraphrase, None if it was not measured.
    """

    log_odds: float
    first: list[Change]
    second: list[Change]


def occlude(predictor: Predictor, first: str, second: str, most_tokens: int) -> Occlusion:
    """Return the change of each word; words are what stands between spaces.

    Everything that the classifier reads is made anew from the shorter text: word pieces, overlap
    features and cosine. A word without which its text would have no word piece is not measured.

    Args:
        predictor: Predictor of the classifier.
        first: First text of the pair.
        second: Second text.
        most_tokens: Largest number of tokens to encode; of a pair that needs more, only the words
            nearest to the beginning of either text are measured.

    Raises:
        PairError: If the predictor does not take the pair.
    """
    words = (first.split(), second.split())
    chosen = _affordable(predictor, words, most_tokens)
    found = _log_odds(predictor, [(first, second), *(_without(words, each) for each in chosen)])
    changes = dict(zip(chosen, (found[1:] - found[0]).tolist(), strict=True))
    sides = [
        [(word, changes.get((side, place))) for place, word in enumerate(text)]
        for side, text in enumerate(words)
    ]
    return Occlusion(log_odds=float(found[0]), first=sides[0], second=sides[1])


def _affordable(predictor: Predictor, words: Words, most_tokens: int) -> list[Place]:
    """Return the places of the words to delete, those nearest to the beginnings first."""
    places = [(side, place) for side in (0, 1) for place in range(len(words[side]))]
    places.sort(key=lambda each: each[1])
    try:
        tokens = _count_tokens(predictor, words, places)
    except PairError as error:
        refused = {number - 1 for number, _ in error.problems}
        places = [place for number, place in enumerate(places) if number not in refused]
        tokens = _count_tokens(predictor, words, places)
    return places[: len(places) * most_tokens // max(tokens, most_tokens)]


def _count_tokens(predictor: Predictor, words: Words, places: list[Place]) -> int:
    """Return how many tokens are encoded for the pairs without these words."""
    pairs = [_without(words, place) for place in places]
    if not pairs:
        return 0
    return len(predictor.prepare([a for a, _ in pairs], [b for _, b in pairs])[0].tokens)


def _without(words: Words, place: Place) -> tuple[str, str]:
    texts = [list(text) for text in words]
    del texts[place[0]][place[1]]
    return " ".join(texts[0]), " ".join(texts[1])


def _log_odds(predictor: Predictor, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Return the log-odds of a paraphrase for each pair, float64 (N,)."""
    likely = predictor.predict([a for a, _ in pairs], [b for _, b in pairs]).clip(_LOWEST)
    return np.log(likely) - np.log((1 - likely).clip(_LOWEST))
