"""Guards choices on fresh seeds: validation alone, collapse worth the floor, levers paired."""

from collections.abc import Hashable
from typing import Any

import pytest

from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.execution.outcomes import Outcome
from tuning.search.ablation import LEVERS, ablation_rows, plan_ablations
from tuning.search.confirmation import (
    Retrained,
    SearchError,
    best_configurations,
    choose_champion,
    fresh_seeds,
    search_value,
    seed_values,
)

FLOOR = 0.65


def config(**changes: object) -> TrialConfig:
    return TrialConfig.model_validate({"targets": "votes", **changes})


def outcome(value: float, trial: TrialConfig | None = None, **metrics: float) -> Outcome:
    found = {"val_f1_at_threshold": value, "test_f1": 1 - value, **metrics}
    return Outcome(name="x", config=trial or config(), metrics=found)


def retrained(*values: float, **changes: object) -> Retrained:
    return Retrained(config=config(**changes), outcomes=[outcome(value) for value in values])


def test_the_champion_has_the_best_mean_on_validation() -> None:
    candidates = {"a": retrained(0.70, 0.78), "b": retrained(0.75, 0.75), "c": retrained(0.7, 0.7)}
    assert choose_champion(candidates, FLOOR) == "b"


def test_a_collapsed_or_failed_seed_is_worth_all_positive() -> None:
    flagged = outcome(0.9, collapsed=1.0)
    failed = Outcome(name="x", config=config(), cause="killed")
    pair = Retrained(config=config(), outcomes=[flagged, failed])
    assert seed_values(pair, FLOOR) == [FLOOR, FLOOR]
    assert search_value({"val_f1_at_threshold": 0.9, "diverged": 1.0}, FLOOR) == FLOOR
    mixed = {"val_f1_at_threshold": 0.8, "collapsed": 1.0, "objective": 0.7}  # one seed of two
    assert search_value(mixed, FLOOR) == 0.7


def test_without_any_fresh_seed_there_is_no_champion() -> None:
    failed = Outcome(name="x", config=config(), cause="killed")
    with pytest.raises(SearchError, match="every fresh seed failed"):
        choose_champion({"a": Retrained(config=config(), outcomes=[failed])}, FLOOR)


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


def test_fresh_seeds_are_none_of_the_searchs() -> None:
    settings = SearchSettings(seeds=5, fresh_seeds=4, seed=3)  # pyright: ignore[reportCallIssue]
    assert not set(fresh_seeds(settings)) & set(range(3, 8))
    assert len(set(fresh_seeds(settings))) == 4


@pytest.mark.parametrize("champion", [config(), config(overlap_features=True, r_drop=1.0)])
def test_an_ablation_changes_its_lever_alone(champion: TrialConfig) -> None:
    ablations = plan_ablations(champion, votes=True, layers=6)
    assert [ablation.lever for ablation in ablations] == list(LEVERS)
    for ablation in ablations:
        one, other = ablation.with_it.model_dump(), ablation.without.model_dump()
        assert [name for name in one if one[name] != other[name]] == [ablation.lever.field]
        if ablation.lever.trained_layers:
            assert ablation.with_it.freezing == 3
        else:
            assert champion in (ablation.with_it, ablation.without)


def test_without_votes_there_is_no_such_lever() -> None:
    fields = [a.lever.field for a in plan_ablations(config(), votes=False, layers=4)]
    assert "targets" not in fields


def test_the_gain_of_a_lever_is_paired_by_seed() -> None:
    champion = retrained(0.70, 0.72, 0.74, overlap_features=True)
    (ablation,) = [
        a
        for a in plan_ablations(champion.config, votes=True, layers=4)
        if a.lever.field == "overlap_features"
    ]
    without = retrained(0.690, 0.711, 0.729)
    without.outcomes[0].cause = "killed"

    def row_of(champion: Retrained, without: Retrained) -> dict[Hashable, Any]:
        ablated = {"without-overlap_features": without}
        return ablation_rows([ablation], champion, ablated, FLOOR).iloc[0].to_dict()

    row = row_of(champion, without)
    assert (row["seeds"], row["used"]) == (2, True)
    assert row["gain"] == pytest.approx(0.01)
    assert row["high"] - row["gain"] == pytest.approx(12.706 * 0.001, rel=1e-3)  # t of 1 degree
    assert row["verdict"] == "cannot be told"
    without.outcomes[0].cause = None
    assert row_of(champion, without)["verdict"] == "helps"
    champion.outcomes[0].cause = champion.outcomes[1].cause = champion.outcomes[2].cause = "x"
    assert row_of(champion, without)["seeds"] == 0
