"""Guards the planned seconds of trials: operations counted by hand, at the rates of a machine."""

from dataclasses import replace

import pytest

from models.number_formats import Precision, Rates
from tests.tuning.execution.experiment import prepared
from tuning.training.cost import Speed, epoch_seconds, expected_speed, frozen_seconds, usual_rates

SPEED = Speed(frozen=7.0, trained=5.0, head=3.0)


def test_the_frozen_pass_counts_two_operations_for_each_weight_and_token() -> None:
    plan = prepared()
    tokens = sum(len(table.tokens) for table in plan.tokens.splits.values())
    layers, weights = 4, 4 * 256**2 + 2 * 256 * plan.encoder.inner_width
    assert frozen_seconds(plan, SPEED) == pytest.approx(tokens * layers * 2 * weights / 7.0)


def test_trials_of_several_depths_cost_one_pass_to_the_deepest() -> None:
    plan = prepared()
    trials = [plan.trials[0].model_copy(update={"freezing": depth}) for depth in (4, 2)]
    assert frozen_seconds(replace(plan, trials=trials), SPEED) == frozen_seconds(plan, SPEED)


def test_an_epoch_counts_trained_layers_three_times_and_validation_once() -> None:
    plan = prepared()
    (head_only, *_), splits = plan.trials, plan.tokens.splits
    two_layers = head_only.model_copy(update={"freezing": 2})
    trained = splits["train"].lengths.sum() * splits["train"].pairs / splits["train"].rows
    scored = splits["validation"].lengths.sum()
    scored *= splits["validation"].pairs / splits["validation"].rows * (1 + head_only.both_orders)
    head = (256 + 4 * head_only.head_width) * head_only.head_width
    expected = head * (6 * trained + 2 * scored) / 3.0
    assert epoch_seconds(plan, head_only, SPEED) == pytest.approx(expected)
    upper = 2 * 2 * plan.encoder.layer_parameters * (3 * trained + scored) / 5.0
    assert epoch_seconds(plan, two_layers, SPEED) == pytest.approx(expected + upper)


def test_each_kind_of_work_is_planned_in_its_own_precision() -> None:
    rates = Rates(
        frozen={"float32": 100.0, "bfloat16": 30.0}, trained={"float32": 20.0, "bfloat16": 50.0}
    )
    mixed = expected_speed(rates, Precision("float32", "bfloat16"))
    half = expected_speed(rates, Precision("bfloat16", "bfloat16"))
    single = expected_speed(rates, Precision("float32", "float32"))
    assert mixed.frozen == single.frozen > half.frozen
    assert mixed.trained == half.trained > single.trained
    assert mixed.head == half.head == single.head < 20.0  # a head computes in float32


def test_a_usual_machine_has_rates_for_each_of_its_cores() -> None:
    assert usual_rates(8).frozen["float32"] == pytest.approx(4 * usual_rates(2).frozen["float32"])
    assert usual_rates(8).trained == usual_rates(2).trained
