"""Guards the importance of searched parameters: intervals show which ranks hold."""

import numpy as np
import pandas as pd
import pytest

from analysis.findings import about_search
from analysis.importance_tables import parameter_importance
from analysis.search_figures import SHOWN, plot_importance
from analysis.search_tables import search_history


def test_the_parameter_that_decides_is_found_and_its_interval_is_above_all_others(
    trials: pd.DataFrame,
) -> None:
    importance = parameter_importance(trials, resamples=20)
    first, second = importance.to_dict("records")
    assert first["parameter"] == "learning_rate"
    assert importance["importance"].sum() == pytest.approx(1)
    assert first["importance"] > 0.8
    assert first["high"] > first["low"] > second["high"]
    sentence = about_search(search_history(trials), importance, "validation AUC")[-1]
    assert "“learning_rate” mattered most" in sentence
    axis = plot_importance(importance).axes[0]
    assert len(axis.patches) == 2
    (lines,) = axis.collections
    assert np.asarray(lines.get_paths()[0].vertices)[:, 0].tolist() == [
        first["low"],
        first["high"],
    ]


def test_of_many_parameters_the_most_important_are_drawn() -> None:
    names, shares = [f"field_{n}" for n in range(13)], np.linspace(0.15, 0.01, 13)
    importance = pd.DataFrame(
        {"parameter": names, "importance": shares, "low": shares / 2, "high": shares * 2}
    )
    axis = plot_importance(importance).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == names[:SHOWN]


def test_of_parameters_without_effect_none_is_said_to_matter_most(trials: pd.DataFrame) -> None:
    shuffled = trials["objective"].sample(frac=1, random_state=1).to_numpy()
    rates = trials["learning_rate"].sample(frac=1, random_state=2).to_numpy()
    chance = trials.assign(objective=shuffled, dropout=rates)
    importance = parameter_importance(chance, resamples=20)
    sentence = about_search(search_history(chance), importance, "validation AUC")[-1]
    assert "mattered most cannot be told" in sentence


def test_too_few_trials_have_no_importance(trials: pd.DataFrame) -> None:
    assert not len(parameter_importance(trials.head(3)))


def test_equal_values_have_no_importance(trials: pd.DataFrame) -> None:
    assert not len(parameter_importance(trials.assign(objective=0.57)))
