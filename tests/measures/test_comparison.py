"""Guards comparisons: each has intervals and p-values, and one seed has no deviation."""

import numpy as np
import pandas as pd
import pytest

from measures import comparison
from measures.intervals import Predictions


def test_pairs_without_a_group_are_entities_of_their_own() -> None:
    codes = comparison.entity_codes(pd.Series(["a", "", "a", ""]))
    assert codes[0] == codes[2]
    assert len(set(codes)) == 3


def test_every_declared_comparison_has_an_interval_and_corrected_p_values(
    predictions: Predictions,
) -> None:
    other = predictions.at(0.35)
    declared = comparison.declared_comparisons(["all", "some"], "words")
    assert declared == [("some", "all"), ("all", "words"), ("some", "words")]
    table = comparison.differences({"all": predictions, "some": other, "words": other}, declared)
    assert (table["f1_low"] <= table["f1"]).all()
    assert (table["f1"] <= table["f1_high"]).all()
    assert (table["permutation_p_holm"] >= table["permutation_p"]).all()
    assert table["f1"].tolist()[2] == 0


def test_a_single_seed_has_no_standard_deviation(predictions: Predictions) -> None:
    one = Predictions(
        labels=predictions.labels,
        entities=predictions.entities,
        probabilities=predictions.probabilities[:1],
        seeds=predictions.seeds[:1],
        thresholds=predictions.thresholds[:1],
    )
    table = comparison.scores_with_intervals({"one": one, "two": predictions})
    by_model = table.set_index(["model", "metric"])["std"]
    assert np.isnan(by_model["one", "accuracy"])
    assert by_model["two", "accuracy"] == pytest.approx(np.std([4 / 6, 4 / 6], ddof=1))
