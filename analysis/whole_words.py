"""Attention maps between whole words, joined from the maps of their pieces; content words."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

FIRST, SECOND = 2, 3  # the kinds of position that belong to a text, as in models.segments
SIDES = {FIRST: "first", SECOND: "second"}
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
    owners = number_words(found["tokens"], found["segments"])
    words, kinds = [""] * (owners[-1] + 1), [0] * (owners[-1] + 1)
    for piece, kind, word in zip(found["tokens"], found["segments"], owners, strict=True):
        words[word] += shown_part(piece) if kind in SIDES else piece
        kinds[word] = kind
    owner = np.eye(len(words))[owners]  # pieces by words
    weights, kind_of = np.array(found["weights"]), np.array(found["segments"])
    if weights.ndim == 1:
        joined = weights @ owner
    else:
        first, second = (owner[np.ix_(kind_of == kind, np.array(kinds) == kind)] for kind in SIDES)
        received = first.T @ weights @ second  # summed over the pieces of both words
        joined = (received / first.sum(axis=0)[:, None] + received / second.sum(axis=0)) / 2
    return {**found, "tokens": words, "segments": kinds, "weights": joined.tolist()}


def number_words(pieces: list[str], kinds: list[int]) -> list[int]:
    """Return for each word piece the number of its word, counted from 0.

    Args:
        pieces: T word pieces as the log has them.
        kinds: Their T kinds of position; a word is of one kind, and special tokens are words.
    """
    numbers: list[int] = []
    for at, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)):
        continues = piece.startswith(_CONTINUATION) and kinds[at - 1 : at] == [kind]
        last = numbers[-1] if numbers else -1
        numbers.append(last if continues and kind in SIDES else last + 1)
    return numbers


def shown_part(piece: str) -> str:
    """Return what a piece adds to its word."""
    return piece.removeprefix(_CONTINUATION).removeprefix(_SPACE)


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
        return "a word's weight is the sum over its pieces"
    return (
        "mean of both directions, without stop words; the pieces of a word give their mean and "
        "receive their sum"
    )
