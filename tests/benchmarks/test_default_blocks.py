"""Guards blocks on defaults: differences are paired, and folds win only against either split."""

from typing import Any

from benchmarks.default_blocks import folds, folds_win, intermediate, weight_decay
from benchmarks.folds import AS_MANY, BY_FOLDS, USUAL
from benchmarks.weight_decay import ALL, METRICS, SPARED

MACHINE = dict.fromkeys(("date", "cores", "processor", "torch", "ray", "transformers"), "x")
FRAME = {"machine": MACHINE, "commit": "abc", "command": "python x.py"}


def parts_of(by_folds: list[float], as_many: list[float], usual: list[float]) -> list[Any]:
    rows = zip(by_folds, as_many, usual, strict=True)
    return [
        {
            "auc": dict(zip((BY_FOLDS, AS_MANY, USUAL), areas, strict=True)),
            "chosen": {BY_FOLDS: 1, AS_MANY: 0, USUAL: 0},
            "values": {rule: [0.7, 0.9] for rule in (BY_FOLDS, AS_MANY, USUAL)},
        }
        for areas in rows
    ]


def test_folds_win_only_if_they_are_better_than_both_beyond_chance() -> None:
    good, same, worse = [0.80, 0.81, 0.83], [0.80, 0.81, 0.83], [0.77, 0.79, 0.80]
    assert folds_win(parts_of(good, worse, worse))
    assert not folds_win(parts_of(good, same, worse))
    assert not folds_win(parts_of(good, worse, same))
    assert not folds_win(parts_of(good, worse, [0.70, 0.82, 0.83]))  # in the mean alone


def test_the_block_of_folds_has_rows_of_the_data_that_were_measured() -> None:
    parts = parts_of([0.80, 0.82], [0.80, 0.82], [0.79, 0.81])
    record = {**FRAME, "numbers": {"data": "mine", "encoder": "small", "parts": parts}}
    text = folds(record, None)
    assert "| mine, small | folds | .810 ± .014 | +.010 [+.010, +.010] | +9.0 points |" in text
    assert "| validation split, two seeds | .800 ± .014 |  | -10.0 points |" in text
    assert "On mine, with 2 configurations and 2 outer parts, folds do not win." in text
    assert text.count("| mine, small |") == 3


def test_the_block_of_decay_has_paired_differences() -> None:
    scores = {metric: [0.70, 0.80] for metric in METRICS}
    spared = {metric: [0.71, 0.81] for metric in METRICS}
    case = {"weight_decay": 0.1, ALL: scores, SPARED: spared}
    text = weight_decay(
        {**FRAME, "numbers": {"data": "parade", "encoder": "minilm", "freezing": "all",
                              "cases": [case]}},
        None,
    )  # fmt: skip
    assert "| 0.1 | all weights | .750 ± .071 |" in text
    assert "| 0.1 | difference | +.010 [+.010, +.010] |" in text


def test_the_block_of_another_start_pairs_seeds() -> None:
    names = ("val_f1_at_threshold", "test_auc", "test_accuracy_at_threshold",
             "test_f1_at_threshold")  # fmt: skip
    rest = dict.fromkeys(names, 0.5)
    plain = {"trials": [{**rest, "val_auc": value} for value in (0.80, 0.82)]}
    tuned = {"trials": [{**rest, "val_auc": value} for value in (0.81, 0.83)]}
    text = intermediate({**FRAME, "numbers": {"plain": plain, "tuned": tuned}})
    assert "| `minilm` | .810 ± .014 | .500 ± .000 |" in text
    assert "The difference in validation AUC is +.010 [+.010, +.010] over 2 seeds." in text
