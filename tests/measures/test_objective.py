"""Guards the objective: flags by name, and a floor under the value of a trial."""

import pytest

from measures.objective import (
    EPOCH_F1,
    OBJECTIVE,
    SEED_MEAN,
    VALIDATION_F1,
    flags_of,
    floored_value,
    is_collapsed,
    is_sound,
    search_value,
)

FLOOR = 0.6


def test_the_names_are_those_of_saved_results() -> None:
    names = (EPOCH_F1, VALIDATION_F1, OBJECTIVE, SEED_MEAN)
    assert names == (
        "f1_at_threshold", "val_f1_at_threshold", "best_val_f1_at_threshold", "objective"
    )  # fmt: skip


@pytest.mark.parametrize(("rate", "collapsed"), [(0.0, True), (1.0, True), (0.01, False)])
def test_predicting_one_class_is_a_collapse(rate: float, collapsed: bool) -> None:
    assert is_collapsed(rate) == collapsed


def test_flags_are_named_and_a_trial_without_one_is_sound() -> None:
    assert flags_of({"collapsed": 1.0, "diverged": 1.0}) == ["collapsed", "diverged"]
    assert flags_of({"collapsed": 0.0, "diverged": 1.0}) == ["diverged"]
    assert not is_sound({"collapsed": 1.0})
    assert is_sound({"collapsed": 0.0, "diverged": 0.0})
    assert is_sound({})


@pytest.mark.parametrize(
    ("score", "sound", "value"), [(0.7, True, 0.7), (0.5, True, FLOOR), (0.9, False, FLOOR)]
)
def test_no_value_is_below_the_floor(score: float, sound: bool, value: float) -> None:
    assert floored_value(score, FLOOR, sound=sound) == value
    metrics = {VALIDATION_F1: score, "collapsed": float(not sound)}
    assert search_value(metrics, FLOOR) == value


def test_a_search_trial_has_the_mean_over_its_seeds_as_value() -> None:
    assert search_value({SEED_MEAN: 0.65, VALIDATION_F1: 0.8, "collapsed": 1.0}, FLOOR) == 0.65
