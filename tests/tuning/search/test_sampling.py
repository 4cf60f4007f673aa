"""Guards sampling: every draw is a configuration in the space, and its conditions hold."""

import optuna
from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.config.test_search_space import FIXED, SPACE
from tuning.config.experiment import TrialConfig
from tuning.search.sampling import draw
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
