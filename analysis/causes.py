"""Rules on what may have led to an error: each returns a sentence with its evidence, or nothing.

A rule counts what is in the texts, the votes and the answers to shorter texts. That it holds does
not prove that the classifier erred for this reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pandas as pd

from analysis.legible import shorten
from analysis.whole_words import FIRST, NEGATIONS, is_content, number_words, shown_part
from measures.overlap import words

NO_RULE = "No rule finds a cause."
_FEW, _MANY = 0.1, 0.5  # shares of common words
_LACKING, _COVERED = 0.5, 0.75  # shares of content words without and with a counterpart
_ASPECT = 2  # content words
_ALIKE = (
    0.6  # of the longer of two words: they have one stem if so much of their beginnings agrees
)
_NAMES = ("first", "second")
_NAMED, _LENGTH = 6, 40  # words of a sentence, and characters of one
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_NUMERALS = {name: str(value) for value, name in enumerate(
    ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 2)}  # fmt: skip
_IN_LETTERS = re.compile(rf"\b(?:{'|'.join(_NUMERALS)})\b")
_NOT = re.compile(r"\b\w+n['’]t\b")
_CAPITALS = re.compile(r"\b[A-Z][A-Z0-9]{1,5}\b")
_IN_BRACKETS = re.compile(r"\(([A-Za-z]{2,5})\)")
_BEFORE = 100  # characters before a bracket that may say what stands in it
_INITIALS = range(3, 6)  # letters of an abbreviation in lower case; two are too often chance


def find_causes(
    pair: pd.Series, occluded: dict[str, Any], threshold: float, seen: set[str]
) -> list[str]:
    """Return the sentences of all rules that hold; one that says so if none does.

    Args:
        pair: Test pair with texts, pieces, ``label``, ``overlap``, ``votes`` and ``voters``.
        occluded: Its example of ``read_occlusion``; empty without one.
        threshold: Threshold of the trial, in [0, 1).
        seen: Word pieces of the train split.
    """
    first, second = str(pair["first"]), str(pair["second"])
    found = [
        *contested(pair),
        *flips(occluded, threshold),
        *by_overlap(pair),
        *one_sided_aspect(first, second),
        *one_sided_number(first, second),
        *one_sided_negation(first, second),
        *abbreviation(str(pair["raw_first"]), str(pair["raw_second"])),
        *unseen_pieces(f"{pair['first_pieces']} {pair['second_pieces']}", seen),
    ]
    return found or [NO_RULE]


def contested(pair: pd.Series) -> list[str]:
    """Return how the annotators were divided, if they were."""
    if math.isnan(pair["votes"]) or not 0 < pair["votes"] < pair["voters"]:
        return []
    votes, voters = round(pair["votes"]), round(pair["voters"])
    return [f"The item is contested: {votes} of {voters} annotators called it a paraphrase."]


def flips(occluded: dict[str, Any], threshold: float) -> list[str]:
    """Return the word whose deletion changes the decision, the one that changes most."""
    if not occluded:
        return []
    cut = math.log(threshold / (1 - threshold)) if threshold > 0 else -math.inf
    whole = occluded["log_odds"]
    changes = [(abs(c), c, word) for side in ("first", "second") for word, c in occluded[side]
               if c is not None and (whole + c >= cut) != (whole >= cut)]  # fmt: skip
    if not changes:
        return []
    _, change, word = max(changes)
    without = f"without {_quoted([word])} the log-odds change by {change:+.2f}"
    return [f"One word flips the decision: {without}."]


def by_overlap(pair: pd.Series) -> list[str]:
    """Return that a paraphrase shares few words, or a pair that is none many."""
    share = f"{100 * pair['overlap']:.0f} %"
    if pair["label"] == 1 and pair["overlap"] <= _FEW:
        return [f"It is a paraphrase with hardly any shared words ({share})."]
    if pair["label"] == 0 and pair["overlap"] >= _MANY:
        return [f"It is no paraphrase and has many shared words ({share})."]
    return []


def one_sided_aspect(first: str, second: str) -> list[str]:
    """Return the content words that half of one text is about and nearly covers the other."""
    both = [_content(first), _content(second)]
    for number, (own, other) in enumerate((both, both[::-1])):
        alone, uncovered = _without_counterpart(own, other), _without_counterpart(other, own)
        covered = len(other) - len(uncovered)
        lacks = len(alone) >= max(_ASPECT, _LACKING * len(own))
        if lacks and other and covered >= _COVERED * len(other):
            return [
                "An aspect stands on one side only, as far as spelling tells: "
                f"{_quoted(alone)} of the {_NAMES[number]} text have no counterpart in the other, "
                f"{covered} of whose {len(other)} content words have one."
            ]
    return []


def one_sided_number(first: str, second: str) -> list[str]:
    """Return the numbers, in digits or words, that only one of the texts has.

    A "one" may be a pronoun: it is no number, but beside it a 1 tells nothing.
    """
    untold = {"1"} if "one" in words(f"{first} {second}") else set()
    left, right = ([n for n in _numbers(text) if n not in untold] for text in (first, second))
    return _one_sided("number", left, right)


def one_sided_negation(first: str, second: str) -> list[str]:
    """Return the negations of a text if the other has none."""
    left, right = _negations(first), _negations(second)
    return [] if left and right else _one_sided("negation", left, right)


def abbreviation(first: str, second: str) -> list[str]:
    """Return what one text abbreviates and the other writes out, else what one of them has.

    Args:
        first: First text as it was before cleaning, in its own letters.
        second: Second text.
    """
    for short, long in ((first, second), (second, first)):
        for word, meaning in _spelled_out(short, long):
            return [f"One text has the initials “{word}” of what the other says: “{meaning}”."]
    return _one_sided("abbreviation", _abbreviations(first, second), _abbreviations(second, first))


def unseen_pieces(pieces: str, seen: set[str]) -> list[str]:
    """Return the words with word pieces that no training pair has.

    Args:
        pieces: Word pieces of a pair, with spaces between them.
        seen: Word pieces of the train split.
    """
    found = pieces.split()
    numbers = number_words(found, [FIRST] * len(found))
    strange = {number for piece, number in zip(found, numbers, strict=True) if piece not in seen}
    named = dict.fromkeys(
        "".join(shown_part(p) for p, at in zip(found, numbers, strict=True) if at == number)
        for number in sorted(strange)
    )
    return [f"No training pair has all word pieces of {_quoted(list(named))}."] if named else []


def _content(text: str) -> list[str]:
    return [word for word in dict.fromkeys(words(text)) if is_content(word)]


def _without_counterpart(own: list[str], others: list[str]) -> list[str]:
    return [word for word in own if not any(_alike(word, other) for other in others)]


def _alike(one: str, other: str) -> bool:
    common = len(list(takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False))))
    return one == other or common >= max(3, _ALIKE * max(len(one), len(other)))


def _numbers(text: str) -> list[str]:
    """Return numbers in the order of the text, those in words as digits, 1,000 as 1000."""
    plain = _THOUSANDS.sub("", text.lower())
    digits = _IN_LETTERS.sub(lambda found: _NUMERALS[found[0]], plain)
    return list(dict.fromkeys(_NUMBER.findall(digits)))


def _negations(text: str) -> list[str]:
    small = text.lower()
    found = [*(word for word in words(small) if word in NEGATIONS), *_NOT.findall(small)]
    return list(dict.fromkeys(found))


def _abbreviations(text: str, other: str) -> list[str]:
    """Return short words in capitals, unless all letters are, and in brackets after their meaning.

    What the other text has too, in whatever letters, is left out.
    """
    found = [
        at[1]
        for at in _IN_BRACKETS.finditer(text)
        if not at[1].islower() or _abbreviates(at[1], text[: at.start()][-_BEFORE:])
    ]
    found += [] if text.isupper() else _CAPITALS.findall(text)
    left_out = NEGATIONS.union(words(other))
    return [w for w in dict.fromkeys(found) if is_content(w) and w.lower() not in left_out]


def _abbreviates(word: str, before: str) -> bool:
    """Return whether the letters stand in order in the words before it, the first at a beginning.

    The rule is that of Schwartz and Hearst (2003), with as many words as there are letters.
    """
    meaning = " ".join(words(before)[-len(word) :])
    return re.search(rf"\b{'.*'.join(word.lower())}", meaning) is not None


def _spelled_out(short: str, long: str) -> Iterator[tuple[str, str]]:
    """Yield words of one text that are the initials of words in a row of the other."""
    there = words(long)
    for word in dict.fromkeys(words(short)):
        if len(word) not in _INITIALS or not is_content(word) or word in there:
            continue
        for start in range(len(there) - len(word) + 1):
            row = there[start : start + len(word)]
            initials = "".join(each[0] for each in row)
            if initials == word and row[0][:2] != word[:2]:  # "use" abbreviates no "using ..."
                yield word, " ".join(row)


def _one_sided(what: str, first: list[str], second: list[str]) -> list[str]:
    """Return a sentence on what one text has and the other has not, if there is such a thing."""
    left = [word for word in first if word not in second]
    right = [word for word in second if word not in first]
    if left and right:
        both = f"{_quoted(left)} the first, {_quoted(right)} the second"
        return [f"Each text has its own {what}: {both}."]
    return [
        f"Only the {name} text has the {what}{'s' * (len(own) > 1)} {_quoted(own)}."
        for name, own in zip(_NAMES, (left, right), strict=True)
        if own
    ]


def _quoted(found: list[str]) -> str:
    shown = ", ".join(f"“{shorten(word, _LENGTH)}”" for word in found[:_NAMED])
    return f"{shown} and {len(found) - _NAMED} more" if len(found) > _NAMED else shown
