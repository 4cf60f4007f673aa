"""Tables of scores for the pages: grids, freezing, encodings, baselines, encoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.encoder_effect import gain
from benchmarks.markdown_text import Record, origin, score, signed, spread, table

VAL, ACCURACY, F1 = "val_f1_at_threshold", "test_accuracy_at_threshold", "test_f1_at_threshold"
_ENCODERS = {
    "random": "random weights, as the library draws them",
    "embedded": "the embedded encoder",
    "adapted": "the same, adapted to PARADE's training pairs",
}
_TRIED = {
    "words": "whole words masked (`masking: words`)",
    "order": "telling whether the second half of a sequence follows the first",
    "even": "first and last positions trained as often as the others (`starts: even`)",
    "wider": "a wider model within 15 MB (width 320) from scratch, 4,600 steps, 41 minutes",
}
CHOSEN_BEFORE = "maximal F1"  # the rule for epochs that the others are compared with
_CHOICES = {
    "loss against targets": "**epoch: loss against targets**",
    "last": "the last epoch",
    "threshold: steady": "**epoch: loss against targets; threshold: `steady`**",
}
_LAYERS = {"all": "frozen", "none": "trained"}


def grid(record: Record) -> str:
    """Return the cells of a grid, best by validation first, flagged ones last."""
    header = ("frozen", "optimizer", "rate", "val F1\\*", "AUC", "accuracy", "F1", "accuracy\\*",
              "F1\\*", "flags")  # fmt: skip
    metrics = (VAL, "test_auc", "test_accuracy", "test_f1", ACCURACY, F1)
    rows = [
        [
            *(row[name] for name in ("freezing", "optimizer", "learning_rate")),
            *(score(row[name]) for name in metrics),
            row["flags"],
        ]
        for row in _by_validation(record)
    ]
    return f"{table(header, rows)}\n\n{origin(record)}"


def _by_validation(record: Record) -> list[dict[str, Any]]:
    """Return a launch's trials, best by validation first, flagged ones last."""
    return sorted(record["numbers"]["trials"], key=lambda row: (row["flags"] != "", -row[VAL]))


def by_seed(name: str, group: Callable[[dict[str, Any]], str], *records: Record) -> str:
    """Return means over seeds of the trials of launches, a row per group.

    Args:
        name: Head of the first column.
        group: Cell of the first column for a trial, whose fixed parameters it has too.
        records: Records of launches.
    """
    header = (name, "validation AUC", "validation F1\\*", "test AUC", "test accuracy\\*",
              "test F1\\*", "seeds")  # fmt: skip
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        shared = {"encoder": record["numbers"]["encoder"], **record["numbers"]["fixed"]}
        for row in record["numbers"]["trials"]:
            groups.setdefault(group({**shared, **row}), []).append(row)
    metrics = ("val_auc", VAL, "test_auc", ACCURACY, F1)
    rows = [
        [words, *(spread([row[m] for row in found]) for m in metrics), str(len(found))]
        for words, found in groups.items()
    ]
    return f"{table(header, rows)}\n\n{origin(*records)}"


def encodings(*records: Record) -> str:
    """Return the comparison of encodings: pair, separate, separate with the cosine."""
    several = len({record["numbers"]["encoder"] for record in records}) > 1

    def words(trial: dict[str, Any]) -> str:
        extra = ", with the cosine of both texts" if trial["cosine_feature"] == "True" else ""
        encoder = f"{trial['encoder']}: " if several else ""
        return f"{encoder}`{trial['encoding']}`{extra}"

    return by_seed("`encoding`", words, *records)


def freezing(record: Record) -> str:
    """Return the comparison of all, some and no layers frozen."""
    return by_seed("frozen", lambda trial: trial["freezing"], record)


def baselines(record: Record) -> str:
    """Return the scores of the baselines, with intervals over entities."""
    rows = [
        [
            row["model"],
            row["threshold"],
            *(
                f"{score(row[metric])} [{score(row[f'{metric}_low'])}, "
                f"{score(row[f'{metric}_high'])}]"
                for metric in ("accuracy", "f1", "auc")
            ),
        ]
        for row in record["numbers"]["scores"]
    ]
    return f"{table(('', 'threshold', 'accuracy', 'F1', 'AUC'), rows)}\n\n{origin(record)}"


def encoder_effect(record: Record) -> str:
    """Return the scores of encoders over seeds, with the difference in AUC to random weights."""
    header = ("layers", "encoder", "AUC", "F1", "accuracy", "F1\\*", "AUC over random weights")
    numbers, rows = record["numbers"], []
    for mode, layers in _LAYERS.items():
        for name, words in _ENCODERS.items():
            scores = numbers[name][mode]
            cells = [spread(scores[m]) for m in ("test_auc", "test_f1", "test_accuracy", F1)]
            over = _gain(scores["test_auc"], numbers["random"][mode]["test_auc"])
            rows.append([layers, words, *cells, "" if name == "random" else over])
    return f"{table(header, rows)}\n\n{origin(record)}"


def encoder_tried(record: Record, effect: Record) -> str:
    """Return what recipes of pretraining change in validation AUC, seed by seed."""
    embedded = effect["numbers"]["embedded"]["all"]["val_auc"]
    rows = []
    for name, words in _TRIED.items():
        values = record["numbers"][name]["all"]["val_auc"]
        cell = _gain(values, embedded[: len(values)])
        if name == "even":
            same = record["numbers"]["same"]["all"]["val_auc"]
            cell += f"; against the same steps without it {_gain(values, same)}"
        rows.append([words, cell])
    adapted = effect["numbers"]["adapted"]["all"]["val_auc"]
    rows.append(["text of the task (`--adapt`), five seeds", _gain(adapted, embedded)])
    return f"{table(('tried', 'validation AUC, difference'), rows)}\n\n{origin(record)}"


def choices(record: Record) -> str:
    """Return what rules for the epoch and the threshold reach on entities they did not see."""
    header = ("rate", "rule", "epoch", "AUC", "F1", "accuracy", "threshold")
    rows = [
        [
            rate,
            _CHOICES.get(rule, f"epoch: {rule}"),
            f"{found['epoch']:.1f}",
            *(
                score(found[m])
                if rule == CHOSEN_BEFORE
                else f"{score(found[m])} ({signed(found[f'{m}_mean'])} "
                f"± {score(found[f'{m}_std'])})"
                for m in ("auc", "f1", "accuracy")
            ),
            f"{score(found['threshold'])} ± {score(found['threshold_std'])}",
        ]
        for rate, by_rule in record["numbers"]["rates"].items()
        for rule, found in by_rule.items()
    ]
    return f"{table(header, rows)}\n\n{origin(record)}"


def _gain(values: list[float], base: list[float]) -> str:
    mean, low, high = gain(values, base)
    return f"{signed(mean)} [{signed(low)}, {signed(high)}]"


def readme_scores(record: Record, baselines_: Record) -> str:
    """Return the README's table: a grid's best cell of each mode by validation, and baselines."""
    metrics = ("test_auc", F1, ACCURACY, "test_f1", "test_accuracy")
    best: dict[str, dict[str, Any]] = {}
    for row in _by_validation(record):
        best.setdefault(row["freezing"], row)
    rows = [
        [
            f"{mode} layers frozen, {row['optimizer']}, rate {row['learning_rate']}",
            *(score(row[name]) for name in metrics),
        ]
        for mode, row in best.items()
    ]
    rows += [
        [words, *_baseline_scores(model, baselines_["numbers"]["scores"])]
        for words, model in (
            ("logistic regression on word overlap, no encoder", "logistic regression on overlap"),
            ('"all positive"', "all positive"),
        )
    ]
    return table(("", "AUC", "F1\\*", "accuracy\\*", "F1", "accuracy"), rows)


def _baseline_scores(model: str, scores: list[dict[str, Any]]) -> list[str]:
    """Return a baseline's AUC, then F1 and accuracy at validation's threshold and at 0.5."""
    found = {row["threshold"]: row for row in scores if row["model"] == model}
    chosen, half = found.get("validation", scores[0]), found["0.5"]
    at_both = (score(row[name]) for row in (chosen, half) for name in ("f1", "accuracy"))
    return [score(half["auc"]), *at_both]
