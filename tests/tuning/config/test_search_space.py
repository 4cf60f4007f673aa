"""Guards search spaces: conditions hold in every draw, and what is wrong is told in words."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuning.config.experiment import ConfigError, TrialConfig
from tuning.config.loader import load_experiment
from tuning.config.search_space import Axis, condition_problems, first_problems, is_active
from tuning.search.sampling import draw
from tuning.search.warm_start import locate

optuna.logging.set_verbosity(optuna.logging.WARNING)
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


@given(st.integers(0, 10_000))
def test_every_draw_is_a_configuration_that_lies_in_the_space(seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    config = TrialConfig(**draw(SPACE, trial, FIXED))
    coordinates, reasons = locate(SPACE, config.model_dump(), FIXED)
    assert reasons == []
    assert coordinates == trial.params
    assert ("momentum" in trial.params) == (config.optimizer == "sgd")
    assert ("layer_decay" in trial.params) == (config.freezing != "all")
    if config.optimizer == "adamw":
        assert config.momentum == FIXED["momentum"]


def test_a_logarithmic_axis_draws_as_often_below_its_middle_as_above() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rates = [draw(SPACE, study.ask(), FIXED)["learning_rate"] for _ in range(200)]
    assert 70 < sum(rate < 10**-2.5 for rate in rates) < 130


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"learning_rate": 0.5}, "learning_rate 0.5 is outside of 0.0001 to 0.1"),
        ({"epochs": 9}, "epochs 9 is outside of 2 to 5"),
        ({"freezing": "none"}, "freezing none is outside of all, some, 2"),
        ({"head_width": 64}, "head_width is 64, here always 128"),
        ({"optimizer": "sgd", "momentum": 0.1}, "momentum 0.1 is outside of 0.8 to 0.95"),
    ],
)
def test_what_lies_outside_is_named(change: dict[str, Any], reason: str) -> None:
    assert locate(SPACE, {**FIXED, **change}, FIXED)[1] == [reason]


def test_a_value_that_does_not_count_is_not_compared() -> None:
    coordinates, reasons = locate(SPACE, {**FIXED, "momentum": 0.1}, FIXED)  # under AdamW
    assert reasons == []
    assert "momentum" not in coordinates


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
        ({"optimiser": "sgd"}, "space.momentum.when.optimiser: unknown parameter"),
        ({"freezing": "all"}, "space.momentum.when.freezing: must stand above momentum"),
        ({"optimizer": "adam"}, "'adam' is never drawn; optimizer is one of adamw, sgd"),
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
        ("r_drop: {low: 0, high: 2}", "space.r_drop: must have a point in low or high: 0.0, 2.0"),
        ("r_drop: {low: 0.0, high: .inf}", "space.r_drop.high"),
        ("learning_rate: {low: 0.1, high: 2.0}", "space.learning_rate[high]: must be at most 1"),
        ("learning_rate: {low: 1e-3, high: 0.1}", "got the text '1e-3' (write 1.0e-3)"),
        ("batch_size: [16, 2.5]", "space.batch_size[1]: must be a whole number, got 2.5"),
        ("head: [cross]", "space.head[0]: must be 'attention_pooling'"),
        ("seed: [0, 1]", "space.seed: is not searched for; search.seeds says how many"),
        (
            "momentum: {low: 0.1, hihg: 0.2}",
            "space.momentum.hihg: unknown key",
        ),
    ],
)
def test_a_wrong_space_in_a_file_is_told_in_words(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(f"name: x\nsearch: {{num_samples: 3}}\nspace:\n  {line}\n")
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    assert problem in str(caught.value)


def test_a_value_to_begin_with_must_lie_in_the_space() -> None:
    first = [{"epochs": 3}, {"epochs": 9, "head": "mean_pooling"}]
    assert first_problems(SPACE, first) == [
        "search.try_first[1].epochs: 9 is outside of 2 to 5",
        "search.try_first[1].head: is not in the space",
    ]


def test_a_grace_of_one_epoch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text("name: x\nsearch: {grace_period: 1}\nspace:\n  epochs: [2, 3]\n")
    with pytest.raises(ConfigError, match=r"search\.grace_period: must be at least 2, got 1"):
        load_experiment(path)
