"""What a head attended to in the test pairs it got most confidently wrong, for the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.batches import SplitArrays
from models.classifier import Classifier
from models.segments import FIRST, SECOND
from tuning.training.evaluation import Evaluation
from tuning.training.inputs import LoadedSplit, SharedInputs

MAPS_PER_KIND = 5  # of false positives, and of false negatives


def confident_errors(
    labels: np.ndarray, probabilities: np.ndarray, groups: list[str]
) -> list[int]:
    """Return the pairs that are most confidently wrong at 0.5, false positives first.

    Of each kind at most ``MAPS_PER_KIND``, the most confident first, and each of another group.
    """
    chosen = []
    for label, surest_first in ((0, -probabilities), (1, probabilities)):
        wrong = (labels == label) & ((probabilities >= 0.5) != label)
        of_group: dict[str, int] = {}
        for pair in np.argsort(surest_first, kind="stable"):
            if wrong[pair]:
                of_group.setdefault(groups[pair] or str(pair), int(pair))
        chosen += list(of_group.values())[:MAPS_PER_KIND]
    return chosen


@torch.no_grad()
def attention_map(
    model: Classifier, split: LoadedSplit, arrays: SplitArrays, pair: int, vocabulary: list[str]
) -> dict[str, Any]:
    """Return the word pieces of a pair and the weights of the head, in its first order.

    ``weights`` is a list (T,) over all tokens for a head that pools. For one that aligns it is a
    matrix over the tokens of the first (rows) and of the second definition (columns), the mean
    of both directions' weights.
    """
    model.eval()
    batch = split.reader.read(np.array([pair]))
    attended = model.attend(batch.inputs, batch.segments)[0].cpu().numpy()
    span = slice(arrays.table.offsets[pair], arrays.table.offsets[pair + 1])
    segments = arrays.table.segments[span]
    if attended.ndim == 2:
        first, second = np.flatnonzero(segments == FIRST), np.flatnonzero(segments == SECOND)
        attended = (attended[np.ix_(first, second)] + attended[np.ix_(second, first)].T) / 2
    return {
        "tokens": [vocabulary[token] for token in arrays.table.tokens[span]],
        "segments": segments.tolist(),
        "weights": np.round(attended.astype(np.float64), 4).tolist(),
    }


def write_attention(path: Path, maps: list[dict[str, Any]]) -> None:
    """Write the maps as JSON, a line each."""
    lines = ",\n".join(json.dumps(found, ensure_ascii=False) for found in maps)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def map_errors(
    model: Classifier,
    splits: Mapping[str, LoadedSplit],
    inputs: SharedInputs,
    evaluation: Evaluation,
) -> list[dict[str, Any]]:
    """Return what the head attended to in its surest errors on test.

    Nothing if it does not attend, or test is not scored.
    """
    if "test" not in splits or not hasattr(model.head, "attend"):
        return []
    lines, groups = inputs.index["test"]
    arrays = inputs.splits["test"]
    pairs = confident_errors(evaluation.labels["test"], evaluation.probabilities["test"], groups)
    return [
        {"line": int(lines[pair])}
        | attention_map(model, splits["test"], arrays, pair, inputs.vocabulary)
        for pair in pairs
    ]
