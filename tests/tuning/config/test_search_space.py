"""Guards search spaces: axes and conditions, and wrong ones reported in words."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tuning.config.experiment import ConfigError, TrialConfig
from tuning.config.loader import load_experiment
from tuning.config.search_space import (
    Axis,
    SearchSettings,
    comparison_problems,
    condition_problems,
    first_problems,
    is_active,
)

FIXED = TrialConfig().model_dump()  # pyright: ignore[reportCallIssue] - pydantic's defaults
SPACE = {
    name: Axis.model_validate(content)
    for name, content in {
        "optimizer": ["adamw", "sgd"],
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "momentum": {"low": 0.8, "high": 0.95, "when": {"optimizer": "sgd"}},
        "epochs": {"low": 2, "high": 5},
        "freezing": ["all", "some", 2],
        "layer_decay": {"low": 0.6, "high": 1.0, "when": {"freezing": ["some", 2]}},
    }.items()
}


def test_true_is_not_the_same_as_one() -> None:
    axis = Axis.model_validate({"low": 0.0, "high": 1.0, "when": {"both_orders": True}})
    assert is_active(axis, {"both_orders": True})
    assert not is_active(axis, {"both_orders": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"low": 2, "high": 1}, "low must be below high, got 2 and 1"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low must be above 0 where log is true, got 0"),
        ({"low": 1}, "must be a list of choices, or have low and high"),
        ({"choices": [1], "low": 1}, "must have choices, or low and high, not both"),
        ([], "choices: must have at least one value"),
        ([1, 1], r"choices: must not repeat a value, got \[1, 1\]"),
    ],
)
def test_a_wrong_axis_is_refused(content: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Axis.model_validate(content)


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ({"optimiser": "sgd"}, "space.momentum.when.optimiser: unknown field"),
        (
            {"freezing": "all"},
            "space.momentum.when.freezing: freezing must be above momentum in the space",
        ),
        ({"optimizer": "adam"}, "'adam' is never drawn; optimizer is one of adamw, sgd"),
        ({"targets": "votes"}, "never holds, because targets is 'auto' in all trials"),
        ({"both_orders": 1}, "never holds, because both_orders is True in all trials"),
        ({"head": []}, "never holds, because head is 'cross_attention' in all trials"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(when: dict[str, Any], problem: str) -> None:
    axis = Axis.model_validate({"low": 0.8, "high": 0.9, "when": when})
    (found,) = condition_problems({**SPACE, "momentum": axis}, FIXED)
    assert problem in found


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("learnin_rate: [0.1]", "space.learnin_rate: unknown key; did you mean learning_rate?"),
        ("1: [0.1]", "space.1: unknown key"),
        ("head_width: {low: 64, high: 192}", "space.head_width: must be a multiple of 2, got 65"),
        ("freezing: {low: 1, high: 3}", "space.freezing: must be a list of choices"),
        (
            "r_drop: {low: 0, high: 2}",
            "space.r_drop: low and high must have a decimal point, as 0.0",
        ),
        ("r_drop: {low: 0.0, high: .inf}", "space.r_drop.high"),
        ("learning_rate: {low: 0.1, high: 2.0}", "space.learning_rate[high]: must be at most 1"),
        ("learning_rate: {low: 1e-3, high: 0.1}", "got the text '1e-3' (write 1.0e-3)"),
        ("batch_size: [16, 2.5]", "space.batch_size[1]: must be a whole number, got 2.5"),
        ("head: [cross]", "space.head[0]: must be 'attention_pooling'"),
        ("seed: [0, 1]", "space.seed: cannot be searched; search.seeds sets"),
        (
            "threshold_rule: [steady, maximum]",
            "space.threshold_rule: cannot be searched; no train",
        ),
        ("momentum: {low: 0.1, hihg: 0.2}", "space.momentum.hihg: unknown key"),
    ],
)
def test_a_wrong_space_in_a_file_is_reported_in_words(
    tmp_path: Path, line: str, problem: str
) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(f"name: x\nsearch: {{num_samples: 3}}\nspace:\n  {line}\n")
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    assert problem in str(caught.value)


def test_a_value_to_try_first_must_be_in_the_space() -> None:
    unused = {"optimizer": "adamw", "momentum": 0.9}
    first = [{"epochs": 3, "momentum": 0.9}, {"epochs": 9, "head": "mean_pooling"}, unused]
    assert first_problems(SPACE, first) == [
        "search.try_first[1].epochs: 9 is outside of 2 to 5",
        "search.try_first[1].head: is not in the space",
        "search.try_first[2].momentum: is not drawn where optimizer is 'adamw'",
    ]


def test_a_grace_period_of_one_epoch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text("name: x\nsearch: {grace_period: 1}\nspace:\n  epochs: [2, 3]\n")
    with pytest.raises(ConfigError, match=r"search\.grace_period: must be at least 2, got 1"):
        load_experiment(path)


@pytest.mark.parametrize(("scheduler", "refused"), [("asha", 1), ("median", 1), ("none", 0)])
def test_epochs_are_fixed_where_trials_are_compared_by_epochs(
    scheduler: str, refused: int
) -> None:
    search = SearchSettings.model_validate({"scheduler": scheduler})
    problems = comparison_problems(SPACE, search)
    assert len(problems) == refused
    for problem in problems:
        assert problem.startswith(
            f"space.epochs: must be fixed where search.scheduler is {scheduler}"
        )
    assert not comparison_problems({"freezing": SPACE["freezing"]}, search)
