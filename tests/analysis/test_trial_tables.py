"""Guards the tables of all trials: recomputed scores show what a log has wrong."""

import pandas as pd
import pytest

from analysis.load_runs import Launch
from analysis.trial_tables import all_trials, recomputed

SOUND = {"collapsed": 0.0, "diverged": 0.0, "no_positive": 0.0, "all_positive": 0.0}
# at 0.35 two of three positives are found and one of two others is called one; at 0.5 one is found
LABELS = [1, 1, 1, 0, 0]
PROBABILITIES = [0.9, 0.4, 0.1, 0.45, 0.2]
LOGGED = {
    "test_f1_at_threshold": 2 / 3,
    "test_accuracy_at_threshold": 3 / 5,
    "test_f1": 1 / 2,
    "test_accuracy": 3 / 5,
    "test_auc": 3 / 6,
}


def launch(**changes: float) -> Launch:
    trials = pd.DataFrame([{"run_id": "r", "name": "a", "threshold": 0.35, **LOGGED, **changes}])
    return Launch(experiment="grid", run_id="p", tags={}, params={}, trials=trials, failed=[])


def predictions(probabilities: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"label": LABELS, "probability": probabilities})
    return frame.assign(run_id="r", split="test")


@pytest.mark.parametrize(
    ("changes", "gap"), [({}, 0.0), ({"test_f1": 0.75}, 0.25), ({"test_auc": 0.4}, 0.1)]
)
def test_the_largest_difference_of_logged_and_recomputed_scores_is_shown(
    changes: dict[str, float], gap: float
) -> None:
    (row,) = recomputed(launch(**changes), predictions(PROBABILITIES)).to_dict("records")
    assert (row["experiment"], row["name"]) == ("grid", "a")
    assert row["difference"] == pytest.approx(gap, abs=1e-12)
    assert row["again_test_f1"] == pytest.approx(1 / 2)
    assert row["again_test_f1_at_threshold"] == pytest.approx(2 / 3)


def test_predictions_that_are_no_numbers_have_no_scores() -> None:
    table = recomputed(launch(), predictions([float("nan"), *PROBABILITIES[1:]]))
    assert table["difference"].isna().all()


def test_every_trial_of_every_launch_has_a_row_and_its_flag_in_words() -> None:
    rows = [
        {"name": "a", "seed": 0, "val_f1_at_threshold": 0.6, "val_f1": 0.1, **SOUND},
        {"name": "b", "seed": 1, "val_f1_at_threshold": 0.7, "val_f1": 0.2, **SOUND},
    ]
    rows[0]["diverged"] = 1.0
    launches = [
        Launch(experiment=name, run_id="r", tags={}, params={}, trials=trials, failed=[])
        for name, trials in (
            ("grid", pd.DataFrame(rows)),
            ("search", pd.DataFrame(rows[1:]).assign(head="mean")),
        )
    ]
    table = all_trials(launches)
    assert table["experiment"].tolist() == ["grid", "search", "grid"]
    assert table["val_f1"].tolist() == [0.7, 0.7, 0.6]
    assert table["flag"].tolist() == ["", "", "diverged"]
