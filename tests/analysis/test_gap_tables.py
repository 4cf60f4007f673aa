"""Guards the gap between validation and test: held against a baseline's, with its chance."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from analysis.gap_findings import about_gaps, written_gaps
from analysis.gap_tables import gaps
from measures.intervals import Predictions

BASE, SEEDS = "logistic regression", 8


def drawn(seed: int, pairs: int, noise: float) -> Predictions:
    """Return eight seeds that see the logits of the labels through noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, pairs)
    logits = 2.0 * labels - 1 + generator.normal(0, noise, (SEEDS, pairs))
    return Predictions(
        labels=labels,
        entities=np.arange(pairs) // 5,
        probabilities=expit(logits),
        seeds=np.arange(SEEDS),
        thresholds=np.full(SEEDS, 0.5),
    )


def single(found: Predictions) -> Predictions:
    return replace(
        found,
        probabilities=found.probabilities[:1],
        seeds=found.seeds[:1],
        thresholds=found.thresholds[:1],
        fixed=True,
    )


def test_a_model_that_is_the_baseline_has_its_gap_and_none_beyond_it() -> None:
    validation, test = single(drawn(0, 400, 1.0)), single(drawn(1, 300, 2.0))
    table = gaps({"a": validation, BASE: validation}, {"a": test, BASE: test}, BASE)
    assert (table["gap"] > 0.05).all()  # the test pairs are harder
    assert table["gap"].to_numpy() == pytest.approx(table["baseline_gap"])
    assert table[["excess", "low", "high"]].to_numpy() == pytest.approx(0, abs=1e-12)


def test_a_gap_beyond_the_baselines_is_found_and_told() -> None:
    base = single(drawn(2, 400, 2.0)), single(drawn(3, 300, 2.0))
    validation, test = drawn(2, 400, 0.7), drawn(3, 300, 2.0)
    table = gaps({"a": validation, BASE: base[0]}, {"a": test, BASE: base[1]}, BASE)
    assert (table["low"] > 0).all()
    assert (table["low"] < table["excess"]).all()
    assert (table["excess"] < table["high"]).all()
    assert table["excess"].to_numpy() == pytest.approx(table["gap"] - table["baseline_gap"])
    first, second = about_gaps(table, BASE)
    assert first.startswith("AUC, which needs no threshold, differs")
    assert "above 0" in first
    assert second.startswith("F1 at the threshold")
    (row,) = written_gaps(table).to_dict("records")
    assert row["seeds"] == SEEDS
    assert row["auc_excess"].startswith("+")


@pytest.mark.parametrize("dependent", [0, 1])
def test_dependent_pairs_of_either_split_widen_the_interval(dependent: int) -> None:
    parts = [[single(drawn(seed, 80, noise)) for noise in (1.0, 2.0)] for seed in (4, 5)]
    parts = [[five_times(found) for found in split] for split in parts]

    def width() -> float:
        names: list[str] = ["a", BASE]
        validation, test = (dict(zip(names, split, strict=True)) for split in parts)
        table = gaps(validation, test, BASE)
        return float((table["high"] - table["low"])[0])

    independent = width()
    parts[dependent] = [replace(found, entities=np.arange(400) // 5) for found in parts[dependent]]
    assert width() > 1.3 * independent
    parts[dependent] = [replace(found, entities=np.zeros(400, int)) for found in parts[dependent]]
    assert np.isnan(width())


def five_times(found: Predictions) -> Predictions:
    """Return five copies of each pair, as if each was of an entity of its own."""
    return replace(
        found,
        labels=np.repeat(found.labels, 5),
        probabilities=np.repeat(found.probabilities, 5, axis=1),
        entities=np.arange(5 * len(found.labels)),
    )
