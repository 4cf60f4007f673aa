"""Blocks on what was held against a default: decay of matrices alone, folds, another start."""

from __future__ import annotations

from typing import Any

from benchmarks.encoder_effect import gain
from benchmarks.markdown_text import Record, origin, points, signed, spread, table
from benchmarks.score_blocks import ACCURACY, F1

# names in the records of weight_decay.py and folds.py, and the words for them
_METRICS = ("val_auc", "val_f1_at_threshold", "val_loss")
_DECAYED = {"all": "all weights", "spared": "matrices alone"}
_RULES = {
    "split, two seeds": "validation split, two seeds",
    "split, as many seeds": "validation split, as many seeds as folds",
    "folds": "folds",
}
_USUAL, _AS_MANY, _BY_FOLDS = _RULES


def weight_decay(*records: Record | None) -> str:
    """Return the validation scores where biases decay and where they are spared.

    Args:
        records: Those of ``weight_decay.py``, one for each data set and freezing mode.
    """
    header = ("data, encoder, frozen", "weight decay", "takes", "AUC", "F1\\*", "loss, nats")
    measured = [record for record in records if record is not None]
    rows = []
    for numbers in (record["numbers"] for record in measured):
        of = f"{numbers['data']}, {numbers['encoder']}, {numbers['freezing']}"
        for case in numbers["cases"]:
            name = f"{case['weight_decay']:g}"
            for decayed, words in _DECAYED.items():
                cells = [spread(case[decayed][metric]) for metric in _METRICS]
                rows.append([of, name, words, *cells])
            differences = [
                _gain(case["spared"][metric], case["all"][metric]) for metric in _METRICS
            ]
            rows.append([of, name, "difference", *differences])
    return f"{table(header, rows)}\n\n{origin(*measured)}"


def folds(*records: Record | None) -> str:
    """Return what each rule chose scores on what was held out, by data set, and who wins."""
    header = ("data, encoder", "chosen by", "AUC held out", "difference to two seeds",
              "value above it")  # fmt: skip
    measured = [record for record in records if record is not None]
    rows, verdicts = [], []
    for record in measured:
        name, encoder, parts = (record["numbers"][key] for key in ("data", "encoder", "parts"))
        for rule, words in _RULES.items():
            areas = [part["auc"][rule] for part in parts]
            values = [part["values"][rule][part["chosen"][rule]] for part in parts]
            over = "" if rule == _USUAL else _gain(areas, _areas(parts, _USUAL))
            optimism = sum(values) / len(values) - sum(areas) / len(areas)
            rows.append(
                [f"{name}, {encoder}", words, spread(areas), over, f"{points(optimism)} points"]
            )
        verdicts.append(
            f"On {name}, with {len(parts[0]['values'][_USUAL])} configurations and {len(parts)} "
            f"outer parts, folds {'win' if folds_win(parts) else 'do not win'}."
        )
    return f"{table(header, rows)}\n\n{' '.join(verdicts)}\n\n{origin(*measured)}"


def folds_win(parts: list[dict[str, Any]]) -> bool:
    """Return whether the interval of what folds gain lies above 0 against either split."""
    areas = _areas(parts, _BY_FOLDS)
    return all(gain(areas, _areas(parts, rule))[1] > 0 for rule in (_USUAL, _AS_MANY))


def _areas(parts: list[dict[str, Any]], rule: str) -> list[float]:
    return [part["auc"][rule] for part in parts]


def _gain(values: list[float], base: list[float]) -> str:
    mean, low, high = gain(values, base)
    return f"{signed(mean)} [{signed(low)}, {signed(high)}]"


def intermediate(record: Record) -> str:
    """Return the scores on PARADE from an encoder as published and from one tuned before."""
    metrics = ("val_auc", "val_f1_at_threshold", "test_auc", ACCURACY, F1)
    header = ("frozen encoder", "validation AUC", "validation F1\\*", "test AUC",
              "test accuracy\\*", "test F1\\*")  # fmt: skip
    plain, tuned = (record["numbers"][name]["trials"] for name in ("plain", "tuned"))
    rows = [
        [words, *(spread([row[metric] for row in trials]) for metric in metrics)]
        for words, trials in (("`minilm`", plain), ("`minilm` after the embedded pairs", tuned))
    ]
    areas = ([row["val_auc"] for row in trials] for trials in (tuned, plain))
    return (
        f"{table(header, rows)}\n\nThe difference in validation AUC is {_gain(*areas)} over "
        f"{len(plain)} seeds.\n\n{origin(record)}"
    )
