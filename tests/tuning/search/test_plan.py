"""Guards the plan of a search: axes and budgets are printed in words and fitting units."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from tests.tuning.execution.experiment import prepared
from tuning.config.experiment import Validation
from tuning.config.search_space import Axis, SearchSettings
from tuning.execution.plan import estimate_seconds
from tuning.search.plan import _duration, describe_axis, describe_rounds, print_search_plan


@pytest.mark.parametrize(
    ("seconds", "words"), [(14.0, "14 seconds"), (120.0, "2 minutes"), (5400.0, "90 minutes")]
)
def test_a_budget_is_printed_in_seconds_or_minutes(seconds: float, words: str) -> None:
    assert _duration(seconds) == words


def test_an_axis_is_described_with_scale_and_condition() -> None:
    content = {"low": 1e-4, "high": 0.1, "log": True, "when": {"freezing": ["some", "none"]}}
    words = "0.0001 to 0.1, on a logarithmic scale; for freezing some or none"
    assert describe_axis(Axis.model_validate(content)) == words


@pytest.mark.parametrize(("min_steps", "more"), [(0, False), (500, True)])
def test_the_plan_says_what_a_search_costs_and_which_epochs_are_added(
    min_steps: int, more: bool
) -> None:
    plan = prepared(min_steps=min_steps)
    console = Console(file=io.StringIO(), width=200)
    settings = SearchSettings.model_validate({"num_samples": 3, "ablations": False})
    print_search_plan(plan, settings, console, None, {"log": "here"})
    assert isinstance(console.file, io.StringIO)
    rows = [line.split("  ", 1) for line in console.file.getvalue().split("\n") if "  " in line]
    found = {name: text.strip() for name, text in rows}
    assert found["cost"].endswith("measured at the first launch; less by early stopping")
    assert found["ranked by"] == "validation AUC"
    words = "1400 pairs give few steps for min_steps 500; --set min_steps=0 keeps what is drawn"
    assert found.get("epochs", "").endswith(words) == more


@pytest.mark.parametrize(
    ("changes", "words", "trainings"),
    [
        ({}, "the best 8 on 2 racing seeds (16 trainings), of these the best 3 on 5 fresh seeds "
             "(15 trainings)", 31),
        ({"confirm": 3}, "the best 3 on 5 fresh seeds (15 trainings)", 15),
        ({"finalists": None}, "the best 8 on 5 fresh seeds (40 trainings)", 40),
    ],
)  # fmt: skip
def test_the_plan_counts_the_trainings_of_both_rounds(
    changes: dict[str, int], words: str, trainings: int
) -> None:
    assert describe_rounds(SearchSettings.model_validate(changes)) == (words, trainings)


def test_the_plan_says_what_a_trial_with_folds_is() -> None:
    plan = prepared()
    validation = Validation.model_validate({"folds": 5})
    experiment = plan.experiment.model_copy(update={"validation": validation})
    settings = SearchSettings.model_validate({"num_samples": 9, "scheduler": "none"})
    texts = []
    for each in (plan, replace(plan, experiment=experiment)):
        console = Console(file=io.StringIO(), width=200)
        print_search_plan(each, settings, console, None, {})
        assert isinstance(console.file, io.StringIO)
        texts.append(console.file.getvalue())
    assert "2 seeds together; early stopping: none" in texts[0]
    words = "5 trainings, each validated on another fold of train and validation; early stopping"
    assert words in texts[1]
    costs = [re.findall(r"cost +(.*)", text) for text in texts]
    assert costs[0] != costs[1]  # 45 trainings, not 18


def test_more_trainings_cost_more() -> None:
    plan = prepared()
    assert estimate_seconds(plan, None, 90) > estimate_seconds(plan, None, 30)
