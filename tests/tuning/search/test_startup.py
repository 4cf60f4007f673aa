"""Guards the start of a search: it looks everywhere, beyond what it was given, and only once."""

from collections import Counter

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

from models.heads import HEADS
from tuning.config.loader import load_experiment
from tuning.config.search_space import Axis, SearchSettings
from tuning.search.startup import enqueue_startup, origin, spread, value_at
from tuning.search.study import enqueue_first
from tuning.system.project import ROOT

SPACE = {
    name: Axis.model_validate(content)
    for name, content in {
        "head": ["a", "b", "c"],
        "encoding": ["pair", "separate"],
        "optimizer": ["adamw", "sgd"],
        "momentum": {"low": 0.8, "high": 0.95, "when": {"optimizer": "sgd"}},
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "epochs": {"low": 2, "high": 5},
    }.items()
}


@pytest.mark.parametrize("seed", range(5))
def test_the_shipped_search_starts_with_every_head_encoding_and_optimizer(seed: int) -> None:
    experiment = load_experiment(ROOT / "experiments/bonus_f1.yaml")
    assert experiment.search is not None
    study, fixed = optuna.create_study(), experiment.trial.model_dump()
    enqueue_first(study, experiment.search.try_first)  # as a search does before it starts
    settings = experiment.search.model_copy(update={"seed": seed})
    enqueue_startup(study, experiment.space, fixed, settings)
    trials = study.get_trials()[len(settings.try_first) :]
    found = [trial.system_attrs["fixed_params"] for trial in trials]
    assert len(found) == settings.startup_trials == 12
    heads = Counter(each["head"] for each in found)
    assert set(heads) == set(HEADS) - {"mean_pooling"}  # that is the control
    assert set(heads.values()) <= {3, 4, 5}
    assert set(Counter(each["encoding"] for each in found).values()) <= {5, 6, 7}
    for fields in (("head", "optimizer"), ("head", "encoding")):
        pairs = Counter(tuple(each[field] for field in fields) for each in found)
        assert len(pairs) == 6


@pytest.mark.parametrize("seed", range(5))
def test_every_head_encoding_and_range_gets_its_share(seed: int) -> None:
    found = spread(SPACE, {}, 12, seed)
    assert len(found) == 12
    assert set(Counter(each["head"] for each in found).values()) <= {3, 4, 5}
    assert set(Counter(each["encoding"] for each in found).values()) <= {5, 6, 7}
    decades = Counter(int(-1e-9 + 10 * each["learning_rate"]) for each in found)
    assert sum(each["learning_rate"] < 1e-3 for each in found) in (3, 4, 5)
    assert sum(each["learning_rate"] > 1e-2 for each in found) in (3, 4, 5)
    assert decades[0] > 0
    assert {each["epochs"] for each in found} == {2, 3, 4, 5}
    for each in found:
        assert ("momentum" in each) == (each["optimizer"] == "sgd")
    assert spread(SPACE, {}, 12, seed) == found
    assert spread(SPACE, {}, 12, seed + 1) != found


def axis_of(low: int, high: int, *, log: bool = False) -> Axis:
    return Axis.model_validate({"low": low, "high": high, "log": log})


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_value_lies_on_its_axis(share: float) -> None:
    axes = [*SPACE.values(), axis_of(1, 64, log=True), axis_of(-2, 3)]
    for axis in axes:
        assert axis.holds(value_at(axis, share))


def test_the_ends_of_whole_numbers_are_as_likely_as_the_others() -> None:
    counts = Counter(value_at(axis_of(2, 5), n / 4000) for n in range(4000))
    assert set(counts) == {2, 3, 4, 5}
    assert max(counts.values()) - min(counts.values()) <= 2


def queued(study: optuna.Study) -> int:
    return len(study.get_trials(states=[TrialState.WAITING]))


def settings(**changes: int) -> SearchSettings:
    return SearchSettings.model_validate({"num_samples": 20, "startup_trials": 6, **changes})


def test_what_was_given_does_not_count() -> None:
    study = optuna.create_study()
    for number in range(9):  # as a warm start adds them
        study.add_trial(create_trial(value=0.5, user_attrs={"run_id": str(number)}))
    study.enqueue_trial({"head": "a"})
    enqueue_startup(study, SPACE, {}, settings())
    assert queued(study) == 1 + 6


def test_it_is_known_who_chose_a_trial() -> None:
    study = optuna.create_study()
    study.add_trial(create_trial(value=0.5, user_attrs={"run_id": "7"}))
    study.enqueue_trial({"head": "a"})
    enqueue_startup(study, SPACE, {}, settings(startup_trials=1))
    for _ in range(3):
        study.ask()
    found = [origin(trial) for trial in study.get_trials()]
    assert found == ["warm start", "given", "start-up", "TPE"]


def test_no_more_are_queued_than_the_search_has_trials() -> None:
    study = optuna.create_study()
    study.enqueue_trial({"head": "a"})
    enqueue_startup(study, SPACE, {}, settings(num_samples=4))
    assert queued(study) == 4


def test_a_study_that_has_begun_gets_only_what_is_missing() -> None:
    study = optuna.create_study()
    enqueue_startup(study, SPACE, {}, settings(startup_trials=4))
    enqueue_startup(study, SPACE, {}, settings(startup_trials=6))
    assert queued(study) == 6
    given = [each.system_attrs["fixed_params"] for each in study.get_trials()]
    assert given == spread(SPACE, {}, 6, 0)  # none of them twice
    study = optuna.create_study()
    for _ in range(7):
        study.tell(study.ask(), 0.5)
    enqueue_startup(study, SPACE, {}, settings())
    assert queued(study) == 0
