"""Guards ablations: one factor changes at a time, and its gain is on new seeds and entities."""

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from measures import comparison
from measures.intervals import holm
from measures.objective import Objective, ObjectiveName
from models.encoder_files import frozen_layers
from tests.tuning.search.test_confirmation import config
from tuning.config.experiment import Experiment, TrialConfig
from tuning.config.input_variants import input_variants
from tuning.config.loader import load_experiment
from tuning.execution.outcomes import Outcome
from tuning.execution.trial import input_key
from tuning.search.ablation import FACTORS, ablation_configs, ablation_rows, plan_ablations
from tuning.search.confirmation import Retrained, validation_predictions
from tuning.search.startup import spread
from tuning.system.project import ROOT

BOTH = [
    config(encoding=encoding, layer_mean=mean, cosine_feature=encoding == "separate")
    for encoding in ("pair", "separate")
    for mean in (False, True)
] + [config(freezing="some")]
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
            assert ablation.with_it.freezing == "some"
        elif ablation.factor.field == "freezing":
            assert {ablation.with_it.freezing, ablation.without.freezing} == {"some", "all"}
            assert not ablation.with_it.layer_mean
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
    for layers in (1, 2, 4):  # of which `some` trains one at most
        small = plan_ablations(separate, votes=True, layers=layers, variants=BOTH)
        assert "layer_decay" not in [ablation.factor.field for ablation in small]
    frozen = [trial for trial in BOTH if trial.freezing == "all"]
    whole = plan_ablations(separate, votes=True, layers=6, variants=frozen)
    assert "freezing" not in [ablation.factor.field for ablation in whole]
    by_number = plan_ablations(config(freezing=4), votes=True, layers=4, variants=BOTH)
    assert "freezing" not in [ablation.factor.field for ablation in by_number]
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
        each.fit_to_data(pairs=9000, votes=True) for each in input_variants(experiment, layers)
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


PLAIN = config(encoding="separate", cosine_feature=False)
LABELS = np.tile([0, 1], 80)


def saved(folder: Path, trial: TrialConfig, strength: float) -> Retrained:
    """Return three seeds that saved predictions, which tell the classes by this strength."""
    outcomes = []
    for seed in range(3):
        logits = np.random.default_rng(9).normal(size=160) + strength * (LABELS - 0.5)
        logits += np.random.default_rng(seed).normal(size=160) * 0.1
        columns = {
            "split": "validation",
            "group": [f"entity {number // 8}" for number in range(160)],
            "label": LABELS,
            "probability": 1 / (1 + np.exp(-logits)),
        }
        path = folder / str(seed)
        path.mkdir(parents=True)
        pd.DataFrame(columns).to_csv(path / "predictions.csv", index=False)
        metrics = {"threshold": 0.6, "collapsed": 1.0}  # what is flagged counts as it predicts
        outcomes.append(Outcome(name="x", config=trial, metrics=metrics, folder=path))
    return Retrained(config=trial, outcomes=outcomes)


@pytest.fixture
def retrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Retrained]:
    """Return all sides: overlap is a real lever, both orders do harm, the others do nothing."""
    monkeypatch.setattr(comparison, "RESAMPLES", 400)
    ablations = plan_ablations(PLAIN, votes=True, layers=4, variants=BOTH)
    configs = {"champion": PLAIN, **ablation_configs(ablations, PLAIN)}
    strengths = {"with-overlap_features": 3.0, "without-both_orders": 3.0}
    return {
        name: saved(tmp_path / name, trial, strengths.get(name, 1.0))
        for name, trial in configs.items()
    }


def table_of(retrained: dict[str, Retrained], name: ObjectiveName) -> pd.DataFrame:
    ablations = plan_ablations(PLAIN, votes=True, layers=4, variants=BOTH)
    objective = Objective(name=name, floor=0.5)
    rows = ablation_rows(ablations, retrained["champion"], retrained, objective)
    return rows.set_index("lever")


def test_a_verdict_is_of_the_corrected_p(retrained: dict[str, Retrained]) -> None:
    for name in get_args(ObjectiveName):
        table = table_of(retrained, name)
        told = table["verdict"][table["verdict"] != "cannot be told"]
        assert told.to_dict() == {"overlap features": "helps", "both orders of a pair": "hurts"}
        assert table["p_holm"].tolist() == pytest.approx(holm(table["p"].tolist()))
        assert (table["gain"] - (table["with"] - table["without"])).abs().max() < 1e-12
        assert (table["failed"] == 0).all()
        assert table.index[table["used"]].tolist() == [
            "texts encoded separately", "votes as soft targets", "both orders of a pair",
        ]  # fmt: skip


def test_values_are_means_over_seeds_at_their_thresholds(retrained: dict[str, Retrained]) -> None:
    found = validation_predictions(retrained["champion"])
    assert found is not None
    areas = [roc_auc_score(LABELS, p) for p in found.probabilities]
    f1 = [f1_score(LABELS, p >= 0.6) for p in found.probabilities]
    by_objective: dict[ObjectiveName, list[float]] = {"auc": areas, "f1": f1}
    for name, values in by_objective.items():
        table = table_of(retrained, name)
        assert table["without"]["R-Drop"] == pytest.approx(np.mean(values))
        assert table["without_std"]["R-Drop"] == pytest.approx(np.std(values, ddof=1))


def test_pairs_of_one_entity_tell_nothing(retrained: dict[str, Retrained]) -> None:
    for each in retrained.values():
        for outcome in each.outcomes:
            path = Path(outcome.folder or "") / "predictions.csv"
            pd.read_csv(path).assign(group="one").to_csv(path, index=False)
    table = table_of(retrained, "auc")
    assert table[["low", "high", "p", "p_holm"]].isna().all(axis=None)
    assert table["verdict"].eq("cannot be told").all()


def test_a_failed_seed_is_left_out_and_counted(retrained: dict[str, Retrained]) -> None:
    def fail(name: str, seeds: int) -> None:
        for number in range(seeds):
            retrained[name].outcomes[number] = Outcome(name="x", config=PLAIN, cause="killed")

    fail("with-overlap_features", 1)
    fail("with-r_drop", 2)
    fail("without-both_orders", 3)
    table = table_of(retrained, "auc")
    levers = ["overlap features", "R-Drop", "both orders of a pair"]
    assert table["failed"][levers].tolist() == [1, 2, 3]
    assert table["seeds"][levers].tolist() == [2, 1, 0]
    assert table["verdict"]["overlap features"] == "helps"
    assert np.isfinite(table["gain"]["R-Drop"])
    assert np.isnan(table["gain"]["both orders of a pair"])
    assert np.isfinite(table["with"]["both orders of a pair"])
    for lever in levers[1:]:
        assert np.isnan(table.loc[lever, ["low", "high", "p", "p_holm"]].astype(float)).all()
        assert table["verdict"][lever] == "cannot be told"


def test_the_side_that_the_champion_is_on_is_not_trained_again() -> None:
    champion = config(overlap_features=True)
    ablations = plan_ablations(champion, votes=True, layers=6, variants=BOTH)
    names = ablation_configs(ablations, champion)
    assert "without-overlap_features" in names
    assert "with-overlap_features" not in names
    assert {"with-layer_decay", "with-freezing"} <= names.keys()


def test_a_configuration_that_two_ablations_share_is_trained_once() -> None:
    champion = config(overlap_features=True, **SEPARATE)
    ablations = plan_ablations(champion, votes=True, layers=6, variants=BOTH)
    configs = list(ablation_configs(ablations, champion).values())
    assert all(configs.count(each) == 1 for each in configs)
    sides = [side for each in ablations for side in (each.with_it, each.without)]
    assert {repr(side) for side in sides} == {repr(each) for each in (*configs, champion)}
    assert len(configs) == 10  # the two sides with pairs, freezing without the mean, decay ...
