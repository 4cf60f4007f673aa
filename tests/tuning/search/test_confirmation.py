"""Guards the confirmation: seeds are fresh, and the best mean on validation is the champion."""

from typing import Any

import pytest

from measures.objective import Objective
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.execution.outcomes import Outcome
from tuning.search.confirmation import (
    Retrained,
    SearchError,
    best_configurations,
    choose_champion,
    choose_finalists,
    fresh_seeds,
    racing_seeds,
    retrain,
    round_table,
    seed_values,
)

FLOOR = 0.65
F1 = Objective(name="f1", floor=FLOOR)


def config(**changes: object) -> TrialConfig:
    return TrialConfig.model_validate({"targets": "votes", **changes})


def outcome(value: float, trial: TrialConfig | None = None, **metrics: float) -> Outcome:
    found = {"val_f1_at_threshold": value, "test_f1": 1 - value, **metrics}
    return Outcome(name="x", config=trial or config(), metrics=found)


def retrained(*values: float, **changes: object) -> Retrained:
    return Retrained(config=config(**changes), outcomes=[outcome(value) for value in values])


def test_the_champion_has_the_best_mean_on_validation() -> None:
    candidates = {"a": retrained(0.70, 0.78), "b": retrained(0.75, 0.75), "c": retrained(0.7, 0.7)}
    assert choose_champion(candidates, F1) == "b"


def test_a_sound_configuration_at_the_floor_is_chosen_before_a_failed_one() -> None:
    failed, weak = retrained(0.7, 0.7), retrained(FLOOR - 0.001, FLOOR - 0.001)
    for each in failed.outcomes:
        each.cause = "killed"
    assert choose_champion({"a": failed, "b": weak}, F1) == "b"


def test_by_auc_another_configuration_is_the_champion() -> None:
    areas = {"a": (0.80, 0.84), "b": (0.81, 0.81)}
    candidates = {
        name: Retrained(config=config(), outcomes=[outcome(1 - v, val_auc=v) for v in values])
        for name, values in areas.items()
    }
    assert choose_champion(candidates, Objective(name="auc", floor=0.5)) == "a"
    assert choose_champion(candidates, Objective(name="f1", floor=0.0)) == "b"


def test_a_collapsed_or_failed_seed_counts_as_all_positive() -> None:
    flagged = outcome(0.9, collapsed=1.0)
    failed = Outcome(name="x", config=config(), cause="killed")
    pair = Retrained(config=config(), outcomes=[flagged, failed])
    assert seed_values(pair, F1) == [FLOOR, FLOOR]
    assert F1.value({"val_f1_at_threshold": 0.9, "diverged": 1.0}) == FLOOR
    mixed = {"val_f1_at_threshold": 0.8, "collapsed": 1.0, "objective": 0.7}  # one seed of two
    assert F1.value(mixed) == 0.7


def test_no_champion_is_chosen_if_every_fresh_seed_failed_or_is_flagged() -> None:
    failed = Outcome(name="x", config=config(), cause="killed")
    flagged = outcome(0.9, collapsed=1.0)
    with pytest.raises(SearchError, match=r"failed or is flagged \(collapsed, failed\)"):
        choose_champion({"a": Retrained(config=config(), outcomes=[failed, flagged])}, F1)
    unsaid = outcome(0.9, no_positive=1.0)
    with pytest.raises(SearchError, match="rare paraphrases need class_weight: balanced"):
        choose_champion({"a": Retrained(config=config(), outcomes=[unsaid])}, F1)


def test_the_best_configurations_are_sound_different_and_in_order() -> None:
    one, two = config(dropout=0.1), config(dropout=0.3)
    outcomes = [
        outcome(0.7, one, objective=0.70),
        outcome(0.7, two, objective=0.72),
        outcome(0.7, one, objective=0.71),
        outcome(0.9, config(dropout=0.4), objective=0.90, collapsed=1.0),
        Outcome(name="x", config=config(), cause="killed"),
    ]
    assert [o.metrics["objective"] for o in best_configurations(outcomes, 2)] == [0.72, 0.71]


def test_fresh_seeds_differ_from_those_of_the_search() -> None:
    settings = SearchSettings.model_validate(
        {"seeds": 5, "fresh_seeds": 4, "racing_seeds": 2, "seed": 3}
    )
    assert not set(fresh_seeds(settings)) & set(range(3, 8))
    assert len(set(fresh_seeds(settings))) == 4
    assert len({*fresh_seeds(settings), *racing_seeds(settings), *range(3, 8)}) == 4 + 2 + 5


def test_finalists_have_the_best_means_and_the_search_decides_ties() -> None:
    raced = {
        "best-1": retrained(0.70, 0.72),
        "best-2": retrained(0.80, 0.60),  # .60 counts as all positive: mean .725
        "best-3": retrained(0.72, 0.70),
        "best-4": retrained(0.74, 0.74),
    }
    raced["best-5"] = Retrained(config=config(), outcomes=[outcome(0.9, collapsed=1.0)] * 2)
    assert choose_finalists(raced, 3, F1) == ["best-4", "best-2", "best-1"]


def test_what_a_resumed_round_has_done_is_not_trained_again() -> None:
    seeds, trial = [7, 8], config()
    done = {
        f"best-1-seed-{seed}": Outcome(name="x", config=trial.model_copy(update={"seed": seed}))
        for seed in seeds
    }
    never: Any = None  # nothing is left that would need a place to run
    found = retrain(never, {"best-1": trial}, seeds, "race", done)
    assert found["best-1"].outcomes == list(done.values())


def test_the_rounds_are_a_row_for_each_seed_in_the_order_of_the_search() -> None:
    searched = {name: outcome(0.7, objective=0.7) for name in ("best-1", "best-2")}
    raced = {"best-1": retrained(0.6), "best-2": retrained(0.7)}
    rounds = {"race": raced, "confirm": {"best-2": retrained(0.66, 0.68)}}
    chosen = {"race": ["best-2"], "confirm": ["best-2"]}
    table = round_table(rounds, chosen, searched, F1)
    assert table[["round", "configuration", "value", "chosen"]].to_numpy().tolist() == [
        ["race", "best-1", FLOOR, False],
        ["race", "best-2", 0.7, True],
        ["confirm", "best-2", 0.66, True],
        ["confirm", "best-2", 0.68, True],
    ]
