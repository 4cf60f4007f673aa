"""The words of an example with the colours that show what deleting each of them changes."""

from __future__ import annotations

from typing import Any

from analysis.legible import shorten

_DEEPEST = 0.55  # opacity of the word with the largest change: black and white text stay readable
_PRINTED = 0.5  # share of the largest change from which on a word's change is printed beside it


def coloured(example: dict[str, Any], most: int | None = None) -> list[list[dict[str, Any]]]:
    """Return both texts as words with ``opacity``, ``tone`` and the printed ``change``.

    A text whose words were not measured is one word without a tone.

    Args:
        example: Example with ``first`` and ``second``, and where the log tells them with
            ``first_words`` and ``second_words``.
        most: Largest number of characters of a text; all if None.
    """
    words = [
        example.get(f"{side}_words") or [{"text": example[side], "change": None}]
        for side in ("first", "second")
    ]
    changes = [abs(word["change"]) for side in words for word in side if word["change"]]
    largest = max(changes, default=0.0)
    return [[_coloured(word, largest) for word in _cut(side, most)] for side in words]


def _cut(words: list[dict[str, Any]], most: int | None) -> list[dict[str, Any]]:
    """Return the words of a text of at most ``most`` characters, and … for the others."""
    if most is None:
        return words
    left, kept = most, []
    for word in words:
        left -= len(word["text"]) + 1
        if left < 0 and kept:
            return [*kept, {"text": "…", "change": None}]
        kept.append({**word, "text": shorten(word["text"], most)})  # text without a space
    return kept


def _coloured(word: dict[str, Any], largest: float) -> dict[str, Any]:
    """Return a word with its colour: the more its deletion changes, the stronger.

    Args:
        word: ``text`` and ``change``, in nats of log-odds; None if it was not measured.
        largest: Largest absolute change among the words of both texts.
    """
    change = word["change"]
    if not change:
        return {"text": word["text"], "tone": "", "opacity": 0.0, "change": "", "printed": False}
    share = abs(change) / largest
    return {
        "text": word["text"],
        "tone": "against" if change > 0 else "for",  # without it more like a paraphrase, or less
        "opacity": round(_DEEPEST * share, 3),
        "change": f"{change:+.2f}".replace("-", "−"),
        "printed": share >= _PRINTED,
    }
