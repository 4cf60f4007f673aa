"""Guards the gap between validation and test: its parts add up, and none is chosen on test."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.gap_findings import about_choice, about_gaps, written_gaps
from analysis.gap_tables import decided_across, epoch_parts, gaps
from measures.intervals import Predictions
from measures.metrics import choose_threshold
from tests.measures.drawn_predictions import drawn_predictions, first_seed

BASE, SEEDS = "logistic regression", 8


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.gap_tables.RESAMPLES", 400)


def drawn(seed: int, pairs: int, noise: float) -> Predictions:
    """Return eight seeds that see the logits of the labels through noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, pairs)
    logits = 2.0 * labels - 1 + generator.normal(0, noise, (SEEDS, pairs))
    return drawn_predictions(labels, np.arange(pairs) // 5, logits)


def single(found: Predictions) -> Predictions:
    return first_seed(found, fixed=True)


def table_of(validation: list[Predictions], test: list[Predictions]) -> pd.DataFrame:
    """Return the gaps of a model "a", the first of each list, beside the baseline, the second."""
    first, second = ({"a": own, BASE: known} for own, known in (tuple(validation), tuple(test)))
    return gaps(first, second, BASE, {"a": "maximum", BASE: "maximum"}).assign(epoch=np.nan)


def test_a_model_that_is_the_baseline_has_nothing_left_over() -> None:
    validation, test = single(drawn(0, 400, 1.0)), single(drawn(1, 300, 2.0))
    table = table_of([validation] * 2, [test] * 2)
    assert (table["harder"] > 0.05).all()  # the test pairs are harder
    assert table[["left", "left_low", "left_high"]].to_numpy() == pytest.approx(0, abs=1e-12)


def test_the_parts_add_up_and_what_is_beyond_the_baseline_is_told() -> None:
    base = single(drawn(2, 400, 2.0)), single(drawn(3, 300, 2.0))
    validation, test = drawn(2, 400, 0.7), drawn(3, 300, 2.0)
    table = table_of([validation, base[0]], [test, base[1]])
    parts = table["harder"] + table["threshold"].fillna(0) + table["left"]
    assert table["gap"].to_numpy() == pytest.approx(parts)
    assert table["threshold"].isna().tolist() == [True, False]  # an AUC has none
    assert (table["left_low"] > 0).all()
    assert (table["left_low"] < table["left"]).all()
    assert (table["left"] < table["left_high"]).all()
    first, second, last = about_gaps(table, BASE)
    assert first.startswith("AUC of logistic regression, of which nothing else was ever chosen")
    assert "above 0" in first
    assert second.startswith("F1 at the chosen threshold of logistic regression")
    assert "cannot tell apart" in last
    easier = table.assign(harder=-0.02)
    assert "2.0 points lower on validation than on test" in about_gaps(easier, BASE)[0]
    written = written_gaps(table)
    assert written["threshold_part"].tolist()[0] == "–"
    assert written["left_part"].str.startswith("+").all()
    assert "epoch_part" not in written


@pytest.mark.parametrize("dependent", [0, 1])
def test_dependent_pairs_of_either_split_widen_the_interval(dependent: int) -> None:
    parts = [[single(drawn(seed, 80, noise)) for noise in (1.0, 2.0)] for seed in (4, 5)]
    parts = [[five_times(found) for found in split] for split in parts]

    def width() -> float:
        table = table_of(*parts)
        return float((table["left_high"] - table["left_low"])[0])

    independent = width()
    parts[dependent] = [replace(found, entities=np.arange(400) // 5) for found in parts[dependent]]
    assert width() > 1.3 * independent
    parts[dependent] = [replace(found, entities=np.zeros(400, int)) for found in parts[dependent]]
    assert np.isnan(width())
    told = written_gaps(table_of(*parts)).loc[0, "left_part"]
    assert "[" not in str(told)


def five_times(found: Predictions) -> Predictions:
    """Return five copies of each pair, as if each was of an entity of its own."""
    return replace(
        found,
        labels=np.repeat(found.labels, 5),
        probabilities=np.repeat(found.probabilities, 5, axis=1),
        entities=np.arange(5 * len(found.labels)),
    )


def test_no_pair_is_decided_by_the_labels_of_its_own_entity() -> None:
    found = drawn(6, 60, 2.0)
    before = decided_across(found, "maximum", 0).decisions
    others_changed = []
    for entity in range(12):
        own = found.entities == entity
        labels = np.where(own, 1 - found.labels, found.labels)
        after = decided_across(replace(found, labels=labels), "maximum", 0).decisions
        assert np.array_equal(after[:, own], before[:, own])
        others_changed.append((after != before).any())
    assert any(others_changed)


def test_a_threshold_that_fits_chance_has_a_part_and_one_that_is_plain_has_none() -> None:
    chance, plain = drawn(7, 200, 100.0), drawn(7, 200, 0.1)
    for found, least, most in ((chance, 0.005, 0.1), (plain, -1e-9, 1e-9)):
        cuts = [choose_threshold(found.labels, p, "maximum")[0] for p in found.probabilities]
        chosen = replace(found, thresholds=np.array(cuts))
        table = table_of([chosen, single(chosen)], [found, single(found)]).set_index("metric")
        assert least <= float(table.loc["f1", "threshold"]) <= most  # type: ignore[arg-type]


def test_the_epoch_that_was_kept_is_compared_with_the_last_one() -> None:
    trials = pd.DataFrame({"run_id": ["a", "b"], "freezing": "all", "best_epoch": [2.0, 1.0]})
    epochs = pd.DataFrame(
        {"run_id": ["a"] * 3 + ["b"] * 2, "epoch": [1, 2, 3, 1, 2],
         "val_auc": [0.5, 0.9, 0.8, 0.7, 0.5]}
    )  # fmt: skip
    (row,) = epoch_parts(epochs, trials).to_dict("records")
    assert (row["model"], row["metric"]) == ("all layers frozen", "auc")
    assert row["epoch"] == pytest.approx(0.15)
    assert row["epoch_high"] - 0.15 == pytest.approx(12.706 * 0.05, rel=1e-3)
    (one,) = epoch_parts(epochs, trials[:1]).to_dict("records")
    assert np.isnan(one["epoch_low"])
    assert epoch_parts(epochs, trials.drop(columns="best_epoch")).empty  # a log without it
    table = pd.DataFrame(
        {"model": "all layers frozen", "metric": ["auc"], "seeds": 1, "gap": 0.1}
        | {f"{name}{end}": 0.1 for name in ("harder", "threshold", "left")
           for end in ("", "_low", "_high")}
    ).merge(epoch_parts(epochs, trials[:1]))  # fmt: skip
    assert written_gaps(table)["epoch_part"].tolist() == ["+10.0"]


def test_what_seeds_add_to_a_choice_is_told_by_those_that_chose_nothing() -> None:
    rows = [("race", "best-1", 0.9, 0.86), ("race", "best-1", 0.9, 0.88)]
    rows += [("race", "best-2", 0.88, 0.87), ("confirm", "best-1", 0.9, 0.1)]
    rounds = pd.DataFrame(rows, columns=["round", "configuration", "searched", "value"])
    (sentence,) = about_choice(rounds, "validation AUC")
    assert "its best configurations lie 2.0 points of validation AUC above" in sentence
    assert "over 2 configurations" in sentence
    assert "with 0 in it" in sentence
    assert "luck of their seeds" in sentence
    (by_folds,) = about_choice(rounds, "validation AUC", folds=True)
    assert "not of seeds alone" in by_folds
    (lower,) = about_choice(rounds.assign(searched=0.8), "validation AUC")
    assert "7.0 points of validation AUC below" in lower
    (alone,) = about_choice(rounds[:2], "validation AUC")
    assert "its best configuration lies 3.0 points" in alone
    assert "interval" not in alone
