"""Attention maps between whole words, joined from the maps of their pieces; content words."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

SIDES = {2: "first", 3: "second"}  # the kinds of position that belong to a text
NEGATIONS = {"no", "not", "never", "without", "none", "cannot", "neither", "nor", "non"}
_SKIPPED = (ENGLISH_STOP_WORDS - NEGATIONS) | {"s"}  # what follows the apostrophe of a genitive
_CONTINUATION, _SPACE = "##", "\u2581"  # as in models.word_pieces, which needs torch


def is_content(word: str) -> bool:
    """Return whether a word has letters or digits alone and is no stop word; negations count."""
    return word.isalnum() and word.lower() not in _SKIPPED


def join_pieces(found: dict[str, Any]) -> dict[str, Any]:
    """Return an attention map in which whole words stand in the place of their pieces.

    Follows Clark et al. (2019, What Does BERT Look At?): what a word gives to others is the mean
    over its pieces, what it receives is the sum over them. The log has the mean of both
    directions of a matrix, so that each text takes either role, and the mean of both is returned.

    Args:
        found: Map of ``Store.attention``, with ``tokens``, ``segments`` and ``weights``.
    """
    words: list[str] = []
    kinds: list[int] = []
    owners: list[int] = []  # of each piece, the number of its word
    for piece, kind in zip(found["tokens"], found["segments"], strict=True):
        if kind in SIDES and kinds[-1:] == [kind] and piece.startswith(_CONTINUATION):
            words[-1] += piece.removeprefix(_CONTINUATION)
        else:
            words.append(piece.removeprefix(_SPACE) if kind in SIDES else piece)
            kinds.append(kind)
        owners.append(len(words) - 1)
    owner = np.eye(len(words))[owners]  # pieces by words
    weights, kind_of = np.array(found["weights"]), np.array(found["segments"])
    if weights.ndim == 1:
        joined = weights @ owner
    else:
        first, second = (owner[np.ix_(kind_of == kind, np.array(kinds) == kind)] for kind in SIDES)
        received = first.T @ weights @ second  # summed over the pieces of both words
        joined = (received / first.sum(axis=0)[:, None] + received / second.sum(axis=0)) / 2
    return {**found, "tokens": words, "segments": kinds, "weights": joined.tolist()}


def content_map(words: dict[str, Any]) -> dict[str, Any]:
    """Return a map of ``join_pieces`` without stop words and punctuation.

    Weights over one text, and a matrix of which a text has no other words, stay as they are.
    """
    weights = np.array(words["weights"])
    kept = [is_content(word) and kind in SIDES
            for word, kind in zip(words["tokens"], words["segments"], strict=True)]  # fmt: skip
    first, second = (
        [keep for keep, at in zip(kept, words["segments"], strict=True) if at == kind]
        for kind in SIDES
    )
    if weights.ndim == 1 or not any(first) or not any(second):
        return words
    return {
        **words,
        "tokens": [word for word, keep in zip(words["tokens"], kept, strict=True) if keep],
        "segments": [kind for kind, keep in zip(words["segments"], kept, strict=True) if keep],
        "weights": weights[np.ix_(first, second)].tolist(),
    }


def rule_of(words: dict[str, Any]) -> str:
    """Return for the caption of a map how the weights of its words were made."""
    if np.ndim(words["weights"]) == 1:
        return "each word the sum of its pieces"
    return (
        "the mean of both directions, between all words but stop words; of the pieces of a word, "
        "what they give is averaged and what they receive summed"
    )
