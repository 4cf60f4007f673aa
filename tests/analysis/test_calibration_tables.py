"""Guards calibration: bins, slopes and curves are those of the predictions, against any target."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis.calibration_figures import plot_precision_recall, plot_reliability
from analysis.calibration_findings import about_slopes
from analysis.calibration_tables import (
    LABELS,
    RECALLS,
    VOTES,
    platt_slopes,
    precision_recall,
    reliability,
    targets_of,
)
from measures.intervals import Predictions
from tests.measures.drawn_predictions import drawn_predictions, first_seed

PAIRS, SEEDS = 3000, 2


def drawn(sureness: float) -> Predictions:
    """Return predictions whose logits are ``sureness`` times the true ones, with the labels."""
    generator = np.random.default_rng(0)
    true = generator.normal(0.2, 1.5, PAIRS)
    labels = (generator.random(PAIRS) < expit(true)).astype(int)
    return drawn_predictions(labels, np.arange(PAIRS) // 10, np.stack([sureness * true] * SEEDS))


def test_targets_are_labels_and_votes_where_several_voted() -> None:
    test = pd.DataFrame({"label": [1, 0], "votes": [2.0, 0.0], "voters": 3})
    found = targets_of(test)
    assert found[VOTES].tolist() == [2 / 3, 0.0]
    assert list(targets_of(test.assign(voters=0, votes=np.nan))) == [LABELS]
    assert list(targets_of(test.assign(voters=1))) == [LABELS]


@pytest.mark.parametrize(("sureness", "verdict"), [(1.0, ""), (2.0, ", too sure"),
                                                   (0.5, ", not sure enough")])  # fmt: skip
def test_the_slope_tells_how_much_too_sure_the_logits_are(sureness: float, verdict: str) -> None:
    model = drawn(sureness)
    slopes = platt_slopes({"a": model}, {LABELS: model.labels.astype(float)})
    (row,) = slopes.to_dict("records")
    assert row["low"] < 1 / sureness < row["high"]
    assert row["high"] - row["low"] < 0.25 / sureness
    (sentence,) = about_slopes(slopes)
    assert sentence.endswith(f"{verdict}).")


def test_equal_seeds_add_nothing_to_what_is_known() -> None:
    both = drawn(1.0)
    one = first_seed(both)
    target = {LABELS: both.labels.astype(float)}
    columns = ["slope", "low", "high"]
    twice, once = (platt_slopes({"a": found}, target)[columns].to_numpy() for found in (both, one))
    assert twice == pytest.approx(once, rel=0.01)


def test_probabilities_that_part_the_classes_have_no_slope(predictions: Predictions) -> None:
    perfect = predictions.labels.astype(float)
    assert platt_slopes({"a": predictions}, {LABELS: perfect})["slope"].notna().all()
    parted = replace(first_seed(predictions), probabilities=0.1 + 0.8 * perfect[None])
    slopes = platt_slopes({"a": parted}, {LABELS: perfect})
    assert slopes[["slope", "low", "high"]].isna().all(axis=None)
    assert about_slopes(slopes) == []


def test_bins_hold_all_predictions_and_lie_on_the_diagonal_where_these_are_right() -> None:
    model = drawn(1.0)
    table = reliability({"a": model}, {LABELS: model.labels.astype(float)})
    assert table["predictions"].tolist() == [SEEDS * PAIRS // 10] * 10
    assert table["predicted"].to_numpy() == pytest.approx(table["observed"], abs=0.06)
    (axis,) = plot_reliability(table).axes
    assert axis.lines[1].get_xdata() == pytest.approx(table["predicted"])


def test_precision_at_a_recall_is_that_of_the_threshold_which_reaches_it(
    predictions: Predictions,
) -> None:
    one = first_seed(predictions)
    table = precision_recall({"a": one}, {LABELS: one.labels.astype(float)})
    by_recall = table.set_index(table["recall"].round(2))["precision"]
    # by probability: .9 and .8 are paraphrases, .6 is none, .4 is one; 3 in all
    assert by_recall[[0.3, 0.6, 0.9]].tolist() == [1.0, 1.0, 0.75]
    assert len(by_recall) == len(RECALLS)
    (axis,) = plot_precision_recall(table).axes
    assert np.array_equal(axis.lines[0].get_ydata(), [0.5, 0.5])  # 3 of 6 pairs


def test_a_pair_counts_by_the_share_of_its_votes() -> None:
    one = Predictions(
        labels=np.array([1, 0]),
        entities=np.array([0, 1]),
        probabilities=np.array([[0.9, 0.2]]),
        seeds=np.array([0]),
        thresholds=np.array([0.5]),
    )
    table = precision_recall({"a": one}, {VOTES: np.array([2 / 3, 1 / 3])})
    assert table["precision"].iloc[0] == pytest.approx(2 / 3)
    assert table["precision"].iloc[-1] == pytest.approx(1 / 2)
