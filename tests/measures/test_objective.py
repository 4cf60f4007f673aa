"""Guards the objective: flags by name, and a floor under the value of a trial."""

import pytest

from measures.objective import (
    EPOCH_F1,
    FLAGS,
    MEANINGS,
    OBJECTIVE,
    SEED_MEAN,
    VALIDATION_F1,
    Objective,
    flags_of,
    is_sound,
    score_flags,
    tagged_objective,
)

FLOOR = 0.6
F1, AUC = Objective(name="f1", floor=FLOOR), Objective(name="auc", floor=0.5)


def test_the_names_are_those_of_saved_results() -> None:
    names = (EPOCH_F1, VALIDATION_F1, OBJECTIVE, SEED_MEAN)
    assert names == (
        "f1_at_threshold", "val_f1_at_threshold", "best_val_f1_at_threshold", "objective"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("area", "error", "collapsed"),
    [(0.5, 0.0, 1), (0.56, 0.03, 1), (0.57, 0.03, 0), (0.4, 0.03, 1), (0.51, 0.0, 0)],
)
def test_ranking_by_chance_is_a_collapse(area: float, error: float, collapsed: float) -> None:
    scores = {"auc": area, "auc_standard_error": error, "positive_rate": 0.3}
    assert score_flags(scores) == {"collapsed": collapsed, "no_positive": 0, "all_positive": 0}


@pytest.mark.parametrize(("rate", "flag"), [(0.0, "no_positive"), (1.0, "all_positive")])
def test_one_class_at_one_half_is_another_flag(rate: float, flag: str) -> None:
    scores = {"auc": 0.7, "auc_standard_error": 0.02, "positive_rate": rate}
    found = score_flags(scores)
    assert [name for name, value in found.items() if value] == [flag]
    assert flags_of(found) == [FLAGS[flag]]
    assert not is_sound(found)


def test_every_flag_has_a_meaning() -> None:
    assert set(MEANINGS) == set(FLAGS.values())


def test_flags_are_named_and_a_trial_without_one_is_sound() -> None:
    assert flags_of({"collapsed": 1.0, "diverged": 1.0}) == ["collapsed", "diverged"]
    assert flags_of({"collapsed": 0.0, "diverged": 1.0}) == ["diverged"]
    assert not is_sound({"collapsed": 1.0})
    assert is_sound({"collapsed": 0.0, "diverged": 0.0})
    assert is_sound({})


@pytest.mark.parametrize(
    ("score", "sound", "value"), [(0.7, True, 0.7), (0.4, True, 0.5), (0.9, False, 0.5)]
)
@pytest.mark.parametrize("name", ["auc", "f1"])
def test_no_value_is_below_the_floor(name: str, score: float, sound: bool, value: float) -> None:
    objective = {"auc": AUC, "f1": Objective(name="f1", floor=0.5)}[name]
    scores = {"auc": 0.3, "f1_at_threshold": 0.3, {"auc": "auc", "f1": EPOCH_F1}[name]: score}
    assert objective.epoch_value(scores, sound=sound) == value
    metrics = {f"val_{score}": each for score, each in scores.items()}
    assert objective.value({**metrics, "collapsed": float(not sound)}) == value


def test_a_search_trial_has_the_mean_over_its_seeds_as_value() -> None:
    assert F1.value({SEED_MEAN: 0.65, VALIDATION_F1: 0.8, "collapsed": 1.0}) == 0.65


def test_an_objective_has_words_and_the_name_of_its_score_on_test() -> None:
    assert (AUC.words, AUC.on_test) == ("validation AUC", "test_auc")
    assert (F1.words, F1.on_test) == ("validation F1 at its threshold", "test_f1_at_threshold")


def test_trials_without_a_tag_were_ranked_by_f1() -> None:
    tags: tuple[dict[str, str], ...] = ({}, {"objective": "auc"}, {"objective": "f1"})
    assert [*map(tagged_objective, tags)] == ["f1", "auc", "f1"]
