"""Guards ablations: one factor changes at a time, and its gain is paired by seed."""

from collections.abc import Hashable
from typing import Any

import pytest

from models.encoder_files import frozen_layers
from tests.tuning.search.test_confirmation import F1, config, retrained
from tuning.config.experiment import Experiment, TrialConfig
from tuning.config.input_variants import input_variants
from tuning.config.loader import load_experiment
from tuning.execution.trial import input_key
from tuning.search.ablation import FACTORS, ablation_configs, ablation_rows, plan_ablations
from tuning.search.confirmation import Retrained
from tuning.search.startup import spread
from tuning.system.project import ROOT

BOTH = [
    config(encoding=encoding, layer_mean=mean, cosine_feature=encoding == "separate")
    for encoding in ("pair", "separate")
    for mean in (False, True)
]
SEPARATE = {"encoding": "separate", "cosine_feature": True, "layer_mean": True}


@pytest.mark.parametrize(
    "champion",
    [
        config(encoding="separate"),
        config(overlap_features=True, r_drop=1.0, **SEPARATE),
    ],
)
def test_an_ablation_changes_its_factor_alone(champion: TrialConfig) -> None:
    ablations = plan_ablations(champion, votes=True, layers=6, variants=BOTH)
    assert [ablation.factor for ablation in ablations] == list(FACTORS)
    for ablation in ablations:
        one, other = ablation.with_it.model_dump(), ablation.without.model_dump()
        assert [name for name in one if one[name] != other[name]] == [ablation.factor.field]
        if ablation.factor.trained_layers:
            assert ablation.with_it.freezing == 3
        elif ablation.factor.field == "encoding":
            assert not ablation.with_it.cosine_feature
            assert not ablation.with_it.layer_mean
        else:
            assert champion in (ablation.with_it, ablation.without)


def test_the_targets_are_not_ablated_without_votes() -> None:
    fields = [
        a.factor.field for a in plan_ablations(config(), votes=False, layers=4, variants=BOTH)
    ]
    assert "targets" not in fields


def test_a_factor_that_has_no_inputs_is_left_out() -> None:
    pair = plan_ablations(config(encoding="pair"), votes=True, layers=4, variants=BOTH)
    assert "cosine_feature" not in [ablation.factor.field for ablation in pair]
    separate = config(encoding="separate", cosine_feature=False)
    alone = plan_ablations(separate, votes=True, layers=4, variants=[separate])
    absent = {"encoding", "layer_mean", "cosine_feature"}
    assert not absent & {ablation.factor.field for ablation in alone}
    small = plan_ablations(separate, votes=True, layers=1, variants=BOTH)
    assert "layer_decay" not in [ablation.factor.field for ablation in small]
    trained = plan_ablations(config(freezing="some"), votes=True, layers=4, variants=BOTH)
    assert "layer_mean" not in [ablation.factor.field for ablation in trained]


@pytest.mark.parametrize("layers", [2, 6])
@pytest.mark.parametrize(
    ("trial", "kept"),
    [
        ({}, None),  # the shipped space
        ({}, {"freezing", "learning_rate"}),
        ({"cosine_feature": False}, {"freezing"}),
        ({"encoding": "pair"}, {"optimizer"}),
        ({"layer_mean": True, "freezing": "some"}, {"optimizer"}),
    ],
)
def test_all_ablations_of_any_champion_find_their_inputs(
    trial: dict[str, object], kept: set[str] | None, layers: int
) -> None:
    shipped = load_experiment(ROOT / "experiments/bonus_f1.yaml")
    space = {name: axis for name, axis in shipped.space.items() if not kept or name in kept}
    values = {"name": "check", "search": shipped.search, "trial": trial, "space": space}
    experiment = Experiment.model_validate(values)
    trials = [
        each.fit_to_data(pairs=9000, votes=True)
        for each in input_variants(experiment, layers // 2)
    ]
    fixed = experiment.trial.model_dump()
    for drawn in spread(space, fixed, 64, 0):
        champion = TrialConfig(**{**fixed, **drawn}).fit_to_data(pairs=9000, votes=True)
        ablations = plan_ablations(champion, votes=True, layers=layers, variants=trials)
        for found in (champion, *ablation_configs(ablations, champion).values()):
            assert input_key(found) in {input_key(each) for each in trials}
            if found.cosine_feature is True:
                assert any(each.cosine_feature is True for each in trials)
                assert found.encoding == "separate"
                assert frozen_layers(found.freezing, layers) > 0


def test_the_gain_of_a_factor_is_paired_by_seed() -> None:
    champion = retrained(0.70, 0.72, 0.74, overlap_features=True)
    (ablation,) = [
        a
        for a in plan_ablations(champion.config, votes=True, layers=4, variants=BOTH)
        if a.factor.field == "overlap_features"
    ]
    without = retrained(0.690, 0.711, 0.729)
    without.outcomes[0].cause = "killed"

    def row_of(champion: Retrained, without: Retrained) -> dict[Hashable, Any]:
        ablated = {"without-overlap_features": without}
        return ablation_rows([ablation], champion, ablated, F1).iloc[0].to_dict()

    row = row_of(champion, without)
    assert (row["seeds"], row["used"]) == (2, True)
    assert row["gain"] == pytest.approx(0.01)
    assert row["high"] - row["gain"] == pytest.approx(12.706 * 0.001, rel=1e-3)  # t of 1 degree
    assert row["verdict"] == "cannot be told"
    without.outcomes[0].cause = None
    assert row_of(champion, without)["verdict"] == "helps"
    champion.outcomes[0].cause = champion.outcomes[1].cause = champion.outcomes[2].cause = "x"
    assert row_of(champion, without)["seeds"] == 0


def test_the_side_that_the_champion_is_on_is_not_trained_again() -> None:
    champion = config(overlap_features=True)
    ablations = plan_ablations(champion, votes=True, layers=4, variants=BOTH)
    names = ablation_configs(ablations, champion)
    assert "without-overlap_features" in names
    assert "with-overlap_features" not in names
    assert {"with-layer_decay", "without-layer_decay"} <= names.keys()
