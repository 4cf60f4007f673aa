"""Tables of the classifiers' errors: confusion, and misclassified examples with evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.legible import shorten
from analysis.run_tables import freezing_order, sound_trials
from analysis.whole_words import SIDES, is_content, join_pieces
from measures.intervals import Predictions, entity_counts
from measures.objective import VALIDATION_F1
from measures.overlap import content_words, jaccard

EXAMPLES_PER_KIND = 1  # for each freezing mode
SHOWN = 600  # characters of a text; all are in the log
_CELLS = ("tn", "fp", "fn", "tp")
_KINDS = {0: "false positive", 1: "false negative"}


def confusion(models: Mapping[str, Predictions]) -> pd.DataFrame:
    """Return each model's counts on test, mean over seeds: ``tn``, ``fp``, ``fn``, ``tp``.

    They are at the thresholds of the predictions; ``tn_at_half`` and so on are those at 0.5.
    """
    rows = []
    for model, predictions in models.items():
        row: dict[str, object] = {"model": model}
        for ending, cut in (("", predictions), ("_at_half", predictions.at(0.5))):
            counts = entity_counts(cut).sum(axis=1).mean(axis=0)
            row |= {f"{name}{ending}": n for name, n in zip(_CELLS, counts, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def best_trials(trials: pd.DataFrame) -> dict[str, pd.Series]:
    """Return for each freezing mode the trial with the best validation F1, the first of equals.

    A grid measures what words of its errors change, and names the model to reproduce, by the same
    rule. Flagged trials are left out, and modes that have no others.
    """
    sound = sound_trials(trials)
    found = {}
    for mode in freezing_order(sound["freezing"]):
        part = sound[sound["freezing"].astype(str) == mode]
        found[mode] = part.sort_values(VALIDATION_F1, ascending=False, kind="stable").iloc[0]
    return found


def surest_errors(
    probability: pd.Series, labels: pd.Series, threshold: float, maps: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the errors of a trial on test by ``line``, those of each kind the surest first.

    An error has ``weights``, ``tokens`` and ``segments`` where the log has its attention map: not
    if the head does not attend, and not beyond a few errors of each kind.

    Args:
        probability: Predicted probability of a paraphrase by line.
        labels: Labels by line.
        threshold: Threshold of the trial, in (0, 1).
        maps: ``Store.attention``.
    """
    known = {int(found["line"]): found for found in maps}
    wrong = (probability >= threshold) != (labels.reindex(probability.index) == 1)
    errors = probability[wrong]
    farthest = (errors - threshold).abs().sort_values(ascending=False, kind="stable")
    return [known.get(int(line), {"line": int(line)}) for line in farthest.index]


def choose_examples(
    maps: list[dict[str, Any]], test: pd.DataFrame, decided: Mapping[int, bool], shown: set[str]
) -> list[dict[str, Any]]:
    """Return the most confident false positive and false negative, of different entities.

    Args:
        maps: ``surest_errors``, or errors of each kind in another order.
        test: Test pairs with ``line``, ``label`` and ``group``.
        decided: Whether the trial calls the pair of a line a paraphrase at its threshold.
        shown: Entities of which an example is shown already; they are skipped.

    Returns:
        The chosen ones of ``maps``, each with the pair's row of ``test`` as ``pair``.
    """
    rows = {int(row["line"]): row for _, row in test.iterrows()}
    chosen: list[dict[str, Any]] = []
    for label in (0, 1):
        groups = (shown | {found["pair"]["group"] for found in chosen}) - {""}
        fitting = [
            {**found, "pair": rows[found["line"]]}
            for found in maps
            if rows[found["line"]]["label"] == label
            and decided[found["line"]] != label
            and rows[found["line"]]["group"] not in groups
        ]
        chosen += fitting[:EXAMPLES_PER_KIND]
    return chosen


def describe_example(
    found: dict[str, Any], probability: float, test: pd.DataFrame
) -> dict[str, Any]:
    """Return an example as a row, with a ``comment`` that states only what can be counted.

    Args:
        found: Example from ``choose_examples``.
        probability: Predicted probability of a paraphrase.
        test: Test pairs with ``overlap`` and ``label``.
    """
    pair = found["pair"]
    evidence = [
        _overlap_evidence(pair, test),
        _vote_evidence(pair),
        _attention_evidence(found),
    ]
    return {
        "kind": _KINDS[int(pair["label"])],
        "line": int(pair["line"]),
        "group": pair["group"],
        "first": shorten(str(pair["first"]), SHOWN),
        "second": shorten(str(pair["second"]), SHOWN),
        "probability": probability,
        "comment": " ".join(sentence for sentence in evidence if sentence),
    }


def _overlap_evidence(pair: pd.Series, test: pd.DataFrame) -> str:
    """Return the share of common words, and its rank among the test pairs of the same label."""
    own = test[test["label"] == pair["label"]]["overlap"]
    of = f"of the test split's {'paraphrases' if pair['label'] else 'other pairs'}"
    below = 100 * float((own < pair["overlap"]).mean())
    if below == 0:
        rank = f"none {of} shares fewer"
    elif own.max() == pair["overlap"]:
        rank = f"none {of} shares more"
    elif below < 1:
        rank = f"less than 1 % {of} share fewer"
    elif below > 99:
        rank = f"more than 99 % {of} share fewer"
    else:
        rank = f"{below:.0f} % {of} share fewer"
    return f"The texts share {100 * pair['overlap']:.0f} % of their words; {rank}."


def _vote_evidence(pair: pd.Series) -> str:
    if np.isnan(pair["votes"]):
        return ""
    votes, voters = round(pair["votes"]), pair["voters"]
    if voters == 1 or 0 < votes < voters:
        return ""  # it is the label, or a cause tells it
    return f"{votes} of {voters} annotators called it a paraphrase: they agreed."


def _attention_evidence(pieces: dict[str, Any]) -> str:
    if "weights" not in pieces:
        return ""
    found = join_pieces(pieces)
    weights = np.array(found["weights"])
    if weights.ndim == 2:
        return _alignment_evidence(found, weights)
    order = [index for index in np.argsort(-weights) if is_content(found["tokens"][index])]
    names = ", ".join(f"“{found['tokens'][index]}”" for index in order[:3])
    return f"The attention weights are highest on {names}." if names else ""


def _alignment_evidence(found: dict[str, Any], weights: np.ndarray) -> str:
    first, second = sides(found)
    falling = np.unravel_index(np.argsort(-weights, axis=None), weights.shape)
    positions = [
        (int(row), int(column))
        for row, column in zip(*falling, strict=True)
        if is_content(first[row]) and is_content(second[column])
    ]
    matched: dict[int, int] = {}
    for row, column in positions:
        if row not in matched and column not in matched.values():
            matched[row] = column
    best = list(matched.items())[:3]
    names = ", ".join(
        f"“{first[row]}” with “{second[column]}” ({weights[row, column]:.2f})"
        for row, column in best
    )
    shared = content_words(" ".join(first)), content_words(" ".join(second))
    alone = "" if jaccard(*shared) else " The texts have no content word in common."
    return f"The attention matched {names} most strongly.{alone}" if best else alone.strip()


def sides(found: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the words, or word pieces, of the first and of the second text."""
    first, second = (
        [token for token, at in zip(found["tokens"], found["segments"], strict=True) if at == kind]
        for kind in SIDES
    )
    return first, second


def why_no_map(head: str, maps: list[dict[str, Any]]) -> str:
    """Return why an example has no attention map.

    Args:
        head: Name of the trial's head.
        maps: ``Store.attention`` of the trial.
    """
    if maps:
        return "Attention was logged for other errors of this classifier only."
    return f"The head ({head}) has no attention weights: there is no map of them."


def input_template(found: dict[str, Any]) -> str:
    """Return how the encoder reads a pair, as in ``[CLS] first [SEP] second [SEP]``.

    Args:
        found: Example with ``tokens`` and ``segments``, as ``Store.attention`` returns it.
    """
    words: list[str] = []
    for token, kind in zip(found["tokens"], found["segments"], strict=True):
        word = SIDES[kind] if kind in SIDES else str(token)
        if kind not in SIDES or words[-1:] != [word]:
            words.append(word)
    return " ".join(words)
