"""Guards what random trials are expected to reach: the start-up alone, and said if unknown."""

import numpy as np
import pandas as pd

from analysis.budget_tables import about_budget, random_budget, written_budget
from analysis.search_figures import plot_budget

MEASURE = "validation AUC"


def told(trials: pd.DataFrame, startup: int) -> pd.DataFrame:
    """Return the trials with one given, then the start-up, the others proposed by TPE."""
    others = len(trials) - startup - 1
    return trials.assign(origin=["given"] + ["start-up"] * startup + ["TPE"] * others)


def test_only_the_start_up_counts(trials: pd.DataFrame) -> None:
    searched = told(trials, 6)
    budget = random_budget(searched)
    values = trials["objective"][1:7]
    assert budget["drawn"].tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(budget["expected"].iloc[[0, -1]], [values.mean(), values.max()])
    assert (budget["low"] <= budget["expected"]).all()
    assert (budget["expected"] <= budget["high"]).all()
    otherwise = searched.assign(
        objective=trials["objective"].where(trials.index.isin(values.index), 1)
    )
    pd.testing.assert_frame_equal(random_budget(otherwise), budget)


def test_the_page_shows_powers_of_two_and_all(trials: pd.DataFrame) -> None:
    table = written_budget(random_budget(told(trials, 11)))
    assert table["drawn"].tolist() == [1, 2, 4, 8, 11]
    assert all(" to " in band for band in table["band"])


def test_the_curve_is_drawn_with_its_band(trials: pd.DataFrame) -> None:
    budget = random_budget(told(trials, 11))
    (axis,) = plot_budget(budget, MEASURE).axes
    np.testing.assert_allclose(np.asarray(axis.lines[0].get_ydata()), budget["expected"])
    assert len(axis.collections) == 1
    assert axis.get_ylabel() == MEASURE


def test_the_best_of_the_random_trials_stands_beside_that_of_all(trials: pd.DataFrame) -> None:
    searched = told(trials, 6).assign(
        objective=[0.9, *[0.5, 0.5, 0.6, 0.6, 0.7, 0.7], *[0.8] * 13]
    )
    (sentence,) = about_budget(random_budget(searched), searched, MEASURE)
    assert sentence == (
        "A random configuration is expected to have a validation AUC of .600, the best of 6 "
        "reached .700, the best of all 20 trials .900."
    )
    stopped = searched.assign(stopped=[np.nan, *["after epoch 2"] * 3, *[np.nan] * 16])
    assert about_budget(random_budget(stopped), stopped, MEASURE)[1].startswith(
        "3 of the 6 random trials were stopped early"
    )
    flagged = searched.assign(collapsed=1.0)
    (sentence,) = about_budget(random_budget(flagged), flagged, MEASURE)
    assert sentence.endswith("the best of 6 reached .700.")


def test_a_log_that_does_not_tell_has_no_curve_and_a_sentence(trials: pd.DataFrame) -> None:
    assert not len(random_budget(trials))
    (sentence,) = about_budget(random_budget(trials), trials, MEASURE)
    assert sentence.endswith("the log, of an earlier version, does not tell who chose a trial.")
    few = told(trials, 3)
    assert not len(random_budget(few))
    (sentence,) = about_budget(random_budget(few), few, MEASURE)
    assert "at least 4 trials of the start-up, and 3 of this search finished" in sentence
