"""What explains the most confident errors on test: attention maps, and occlusion of each word.

Shapes: N pairs of a split, T tokens of a pair with its special tokens.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from models.batches import SplitArrays
from models.classifier import Classifier
from models.occlusion import occlude
from models.pair_checks import PairError
from models.predictor import Predictor
from models.segments import FIRST, SECOND
from models.word_pieces import pair_pieces
from tuning.data.pairs import PairTable
from tuning.system.atomic_files import atomic_write_bytes
from tuning.training.evaluation import Evaluation
from tuning.training.inputs import LoadedSplit, SharedInputs

MAPS_PER_KIND = 5  # at most as many false positives, and as many false negatives
OCCLUDED_PER_KIND = 2  # fewer: an example takes a pass of the encoder for each of its words
OCCLUSION_FORMAT = 1
_MOST_TOKENS = 3000  # to encode for the words of an example: half a second with minilm on a core
_SMALL = 11_000_000  # weights in the layers of such an encoder; a larger one encodes fewer tokens


def map_errors(
    model: Classifier,
    splits: Mapping[str, LoadedSplit],
    inputs: SharedInputs,
    evaluation: Evaluation,
) -> list[dict[str, Any]]:
    """Return an attention map, with its line in the data file, for each most confident error.

    The list is empty if the head does not attend, or test is not among the splits.
    """
    if "test" not in splits or not hasattr(model.head, "attend"):
        return []
    lines, groups = inputs.index["test"]
    arrays = inputs.splits["test"]
    labels, probabilities = evaluation.labels["test"], evaluation.probabilities["test"]
    threshold = evaluation.metrics["threshold"]
    pairs = confident_errors(labels, probabilities, groups, threshold, MAPS_PER_KIND)
    tokenizer, (firsts, seconds) = Tokenizer.from_str(inputs.tokenizer), inputs.texts
    maps = []
    for pair in pairs:
        tokens, segments = arrays.table.row(pair)
        pieces = pair_pieces(tokenizer, (firsts[pair], seconds[pair]), tokens, segments)
        found = attention_map(model, splits["test"], arrays, pair, pieces)
        maps.append({"line": int(lines[pair])} | found)
    return maps


def confident_errors(
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: list[str],
    threshold: float,
    most: int,
) -> list[int]:
    """Return the indices of the most confident errors at a threshold, false positives first.

    Of either kind there are at most ``most``, the most confident first, and at most one
    for each group.

    Args:
        labels: Classes, 0 or 1, int (N,).
        probabilities: Probabilities of class 1, float (N,).
        groups: Group of each pair, N texts; a pair without one ("") is a group of its own.
        threshold: Lowest probability that counts as class 1: the one chosen on validation.
        most: Largest number of errors of a kind.
    """
    chosen = []
    for label, confident_first in ((0, -probabilities), (1, probabilities)):
        wrong = (labels == label) & ((probabilities >= threshold) != label)
        first_of_group: dict[str, int] = {}
        for pair in np.argsort(confident_first, kind="stable"):
            if wrong[pair]:
                first_of_group.setdefault(groups[pair] or str(pair), int(pair))
        chosen += list(first_of_group.values())[:most]
    return chosen


@torch.no_grad()
def attention_map(
    model: Classifier, split: LoadedSplit, arrays: SplitArrays, pair: int, pieces: list[str]
) -> dict[str, Any]:
    """Return the word pieces of a pair, their segments and the head's weights, for JSON.

    ``weights`` is a list (T,) over all tokens for a head that pools. For one that aligns it is a
    matrix over the tokens of the first (rows) and of the second definition (columns), the mean
    of both directions' weights. The model is put into eval mode.

    Args:
        model: Classifier whose head has ``attend``.
        split: Rows of the split on a device.
        arrays: Arrays of the same split.
        pair: Index of the pair, in its own order of definitions.
        pieces: Word pieces of the pair's T tokens.
    """
    model.eval()
    batch = split.reader.read(np.array([pair]))
    attended = model.attend(batch.inputs, batch.segments)[0].cpu().numpy()
    _, segments = arrays.table.row(pair)
    if attended.ndim == 2:
        first, second = np.flatnonzero(segments == FIRST), np.flatnonzero(segments == SECOND)
        attended = (attended[np.ix_(first, second)] + attended[np.ix_(second, first)].T) / 2
    return {
        "tokens": pieces,
        "segments": segments.tolist(),
        "weights": np.round(attended.astype(np.float64), 4).tolist(),
    }


def occlude_errors(
    saved: Mapping[str, tuple[Path, float]], encoder: Path, test: PairTable
) -> dict[str, list[dict[str, Any]]]:
    """Return for the surest errors of each trial what deleting each word does, for JSON.

    An example has the ``line`` of its pair in the data file, ``log_odds`` of the whole pair, and
    for the ``first`` and the ``second`` text a list of words with their changes. The report shows
    no group twice: of a trial are measured its surest errors of the groups that are left.

    Args:
        saved: By name of finished trials their folders, with classifiers that score the shorter
            texts, and the thresholds that they chose on validation, at which errors are taken.
        encoder: Folder of the encoder's files.
        test: Test split that their predictions are of.

    Raises:
        OSError: If files cannot be read.
    """
    shown: set[str] = set()
    found = {}
    for name, (folder, threshold) in saved.items():
        labels, probabilities = _test_predictions(folder / "predictions.csv")
        errors = confident_errors(labels, probabilities, test.groups, threshold, len(labels))
        pairs: list[int] = []
        for kind in (0, 1):
            left = [p for p in errors if labels[p] == kind and test.groups[p] not in shown]
            pairs += left[:OCCLUDED_PER_KIND]
            shown |= {test.groups[pair] for pair in left[:1]} - {""}
        found[name] = _occlude(Predictor(folder / "model", [encoder]), test, pairs)
    return found


def _occlude(predictor: Predictor, test: PairTable, pairs: list[int]) -> list[dict[str, Any]]:
    most_tokens = min(_MOST_TOKENS, _MOST_TOKENS * _SMALL // max(predictor.parameters, 1))
    examples = []
    for pair in pairs:
        with suppress(PairError):  # only a user's pair can be refused; the launch must not fail
            found = occlude(predictor, test.first[pair], test.second[pair], most_tokens)
            sides = {
                side: [(word, None if c is None else round(c, 4)) for word, c in words]
                for side, words in (("first", found.first), ("second", found.second))
            }
            log_odds = round(found.log_odds, 4)
            examples.append({"line": int(test.lines[pair]), "log_odds": log_odds, **sides})
    return examples


def _test_predictions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, int (N,), and probabilities, float (N,), of the test pairs in their order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    labels = np.array([int(row["label"]) for row in rows])
    return labels, np.array([float(row["probability"]) for row in rows])


def write_occlusion(path: Path, trials: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write the examples of ``occlude_errors`` by trial as JSON, with the format's number.

    Raises:
        DiskError: If the disk is full or not writable; there is then no file.
    """
    content = {"format": OCCLUSION_FORMAT, "trials": trials}
    text = json.dumps(content, ensure_ascii=False) + "\n"
    atomic_write_bytes(path, text.encode())  # a resumed launch takes the file for whole


def write_attention(path: Path, maps: list[dict[str, Any]]) -> None:
    """Write the maps as a JSON list, one line for each."""
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in maps)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
