"""Guards sampling: every draw is a configuration in the space, and its conditions hold."""

from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from measures.objective import SEED_MEAN
from tests.tuning.config.test_search_space import FIXED, SPACE
from tests.tuning.search.test_study import SETTINGS, sampler
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.execution.trial_spec import TrialSpec
from tuning.search.sampling import ConfigSampler, EpochSearch, make_scheduler
from tuning.search.startup import draw
from tuning.search.trial import SHARE
from tuning.search.warm_start import locate

optuna.logging.set_verbosity(optuna.logging.WARNING)


@given(st.integers(0, 10_000))
def test_every_draw_is_a_configuration_in_the_space(seed: int) -> None:
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


def test_an_epoch_of_a_resumed_trial_is_told_under_its_own_number_without_a_warning() -> None:
    storage = optuna.storages.InMemoryStorage()
    searcher = EpochSearch(
        sampler(),
        metric=SEED_MEAN,
        mode="max",
        study_name="s",
        storage=storage,
    )
    searcher.suggest("a")
    for iteration, epoch in ((1, 3), (2, 4), (3, 4)):
        result = {SEED_MEAN: epoch / 10, "training_iteration": iteration, "epoch": epoch}
        searcher.on_trial_result("a", result)
    searcher.on_trial_result("a", {SEED_MEAN: 0.9, "training_iteration": 4, "finished": True})
    (trial,) = optuna.load_study(study_name="s", storage=storage).trials
    assert trial.intermediate_values == {3: 0.3, 4: 0.4}


def test_a_trial_with_folds_has_a_seed_for_each_of_them() -> None:
    settings = SETTINGS.model_copy(update={"seed": 7})
    of_folds = ConfigSampler(
        space=SPACE, fixed=FIXED, settings=settings, launch="x", train_pairs=9, votes=True, folds=4
    )
    spec = TrialSpec.from_point(of_folds(optuna.create_study().ask())["point"])
    assert spec.seeds == (7, 8, 9, 10)
    assert spec.params == {"folds": 4}
    assert spec.tags["optuna_trial"] == "0"


class Compared:
    """Trials of a search, whose fixed number of epochs is 4, that a scheduler compares."""

    def __init__(self, scheduler: str, grace_period: int = 2) -> None:
        settings = SearchSettings.model_validate(
            {"scheduler": scheduler, "grace_period": grace_period}
        )
        sampler = ConfigSampler(
            space={}, fixed={**FIXED, "epochs": 4}, settings=settings, launch="l",
            train_pairs=100, votes=False,
        )  # fmt: skip
        self.scheduler: Any = make_scheduler(settings, sampler)
        self.scheduler.set_search_properties(SEED_MEAN, "max")

    def stopped_at(self, value: float, epochs: int) -> int | None:
        """Return the epoch after which a trial is stopped; None if it gets to its end."""
        trial = Trial("t", stub=True)
        self.scheduler.on_trial_add(None, trial)
        for epoch in range(1, epochs + 1):
            result = {SEED_MEAN: value, "epoch": epoch, SHARE: epoch / epochs}
            if self.scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                self.scheduler.on_trial_complete(None, trial, result)
                return epoch
        last = {SEED_MEAN: value, "finished": True}
        assert self.scheduler.on_trial_result(None, trial, last) == TrialScheduler.CONTINUE
        self.scheduler.on_trial_complete(None, trial, last)
        return None


@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_a_weak_trial_is_stopped_after_as_large_a_share_of_its_epochs_as_others(
    scheduler: str,
) -> None:
    compared = Compared(scheduler)
    assert [compared.stopped_at(value, 4) for value in (0.7, 0.8, 0.8, 0.9)] == [None] * 4
    assert compared.stopped_at(0.6, 4) == 2
    assert compared.stopped_at(0.6, 12) == 6  # as min_steps gives to larger batches
    assert compared.stopped_at(0.9, 12) is None


@pytest.mark.parametrize(("scheduler", "grace_period"), [("none", 2), ("asha", 4), ("median", 5)])
def test_no_trial_is_stopped_in_the_grace_period_or_without_a_scheduler(
    scheduler: str, grace_period: int
) -> None:
    compared = Compared(scheduler, grace_period)
    assert [compared.stopped_at(value, 4) for value in (0.9, 0.9, 0.9, 0.6)] == [None] * 4
