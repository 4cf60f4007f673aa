"""Guards values of trials as others keep them: added fields change nothing that was begun."""

from tuning.config.experiment import TrialConfig
from tuning.config.trial_values import config_from_params, known_before, trial_of, varied_fields


def config(**values: object) -> TrialConfig:
    return TrialConfig.model_validate(values)


def test_added_fields_are_left_out_where_they_change_nothing() -> None:
    values = {"class_weight": "none", "epochs": 3}
    assert known_before({"truncate": False, "trial": values}) == {"trial": {"epochs": 3}}
    old = {"search": {"confirm": 3, "fresh_seeds": 5}}  # before there was a race
    now = {"search": {"confirm": 3, "finalists": None, "racing_seeds": 2, "fresh_seeds": 5}}
    assert known_before(now) == old
    assert known_before({"validation": {"folds": None}, "folds": None}) == {}


def test_added_fields_are_kept_where_they_change_something() -> None:
    values = {"truncate": True, "trial": {"class_weight": "balanced"}}
    assert known_before(values) == values
    folds = {"validation": {"folds": 5}}
    assert known_before(folds) == folds
    axis = {"grid": {"class_weight": ["none", "balanced"]}}
    assert known_before(axis) == axis


def test_a_configuration_comes_back_from_logged_text_with_and_without_added_fields() -> None:
    weighted = config(class_weight="balanced", order_seed=None)
    params = {name: str(value) for name, value in weighted.model_dump().items()}
    assert config_from_params(params) == weighted
    del params["class_weight"]
    assert config_from_params(params) == config()


def test_a_saved_trial_that_lacks_a_field_has_what_was_done_before() -> None:
    before = {"encoding": "pair", "cosine_feature": False, "threshold_rule": "maximum"}
    assert trial_of({}) == config(**before)
    for each in (config(), config(threshold_rule="maximum", class_weight="balanced")):
        assert trial_of(known_before(each.model_dump())) == each


def test_the_weight_of_classes_is_a_field_that_can_vary() -> None:
    assert varied_fields([config(), config(class_weight="balanced")]) == ["class_weight"]
