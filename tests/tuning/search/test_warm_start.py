"""Guards warm starts: a search learns from finished trials of the same data and encoder."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from measures.metrics import all_positive_f1, make_objective
from tests.empty_store import put_store
from tests.tuning.config.test_search_space import FIXED, SPACE
from tests.tuning.tracking.recording import deliver_all, open_log
from tuning.config.experiment import TrialConfig, Validation
from tuning.config.loader import load_experiment
from tuning.config.search_space import SearchSettings
from tuning.config.trial_values import config_from_params
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import DataLocations
from tuning.search.context import comparable, fixed_fields, identity
from tuning.search.study import StudyError, load_study, open_storage
from tuning.search.warm_start import _as_drawn, _value, find_finished, locate
from tuning.system.project import ROOT
from tuning.tracking.mlflow_reader import LoggedRun

SEARCH = SearchSettings(warm_start="grid", objective="f1")  # pyright: ignore[reportCallIssue] - defaults


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    overrides = ["data=embedded", "encoder=embedded"]
    experiment = load_experiment(ROOT / "experiments/bonus_f1.yaml", overrides)
    return prepare(experiment, DataLocations(cache=tmp_path_factory.mktemp("cache")))


def grid_trial(prepared: Prepared, **changes: object) -> TrialConfig:
    asked = TrialConfig.model_validate({"epochs": 3, "min_steps": 600, **changes})
    size = len(prepared.pairs.splits["train"].labels)
    return asked.fit_to_data(pairs=size, votes=False)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return put_store(tmp_path / "log.db")


def log_grid(store: str, prepared: Prepared, folder: Path, data: str) -> None:
    encoder = prepared.encoder.fingerprint
    log = open_log(folder, store, "grid", data_fingerprint=data, encoder_fingerprint=encoder)
    metrics = {"val_f1_at_threshold": 0.7, "val_auc": 0.8, "collapsed": 0.0, "diverged": 0.0}
    for name, change in (("sound", {}), ("collapsed", {"collapsed": 1.0})):
        config = grid_trial(prepared, learning_rate=0.01)
        log.start_trial(name, name, config.model_dump())
        log.log_outcome(name, {**metrics, **change}, None)
        log.end_trial(name)
    deliver_all(log, store)


def test_trials_of_a_grid_lie_in_the_shipped_space_with_their_values(
    prepared: Prepared, store: str, tmp_path: Path
) -> None:
    log_grid(store, prepared, tmp_path, prepared.pairs.fingerprint)
    found = find_finished(prepared, SEARCH, store, Console(file=io.StringIO()))
    floor = all_positive_f1(prepared.pairs.splits["validation"].labels)
    assert sorted(value for _, _, value in found) == sorted([floor, 0.7])
    fixed = comparable(fixed_fields(prepared))
    for _, values, _ in found:
        coordinates, reasons = locate(prepared.experiment.space, values, fixed)
        assert reasons == []
        assert coordinates["targets"] == "auto"  # logged as labels: these pairs have no votes
        assert values["epochs"] == prepared.experiment.trial.epochs  # 13 were run: a budget


@pytest.mark.parametrize(("encoding", "cosine"), [("separate", True), ("pair", False)])
def test_what_auto_became_for_a_logged_trial_is_auto_in_a_search_that_does_not_draw_it(
    prepared: Prepared, encoding: str, cosine: bool
) -> None:
    experiment = prepared.experiment
    kept = {name: experiment.space[name] for name in ("encoding", "learning_rate")}
    search = replace(prepared, experiment=experiment.model_copy(update={"space": kept}))
    logged = grid_trial(prepared, encoding=encoding)
    assert logged.cosine_feature is cosine
    params = {name: str(value) for name, value in logged.model_dump().items()}
    values = _as_drawn(params, search)
    assert values is not None
    assert locate(kept, values, comparable(fixed_fields(search)))[1] == []


@pytest.mark.parametrize(("own", "value"), [("auc", 0.9), ("f1", 0.8)])
def test_another_search_gives_its_value_or_what_the_objective_makes_of_its_scores(
    prepared: Prepared, own: str, value: float
) -> None:
    search = SearchSettings(objective="auc")  # pyright: ignore[reportCallIssue] - defaults
    run = LoggedRun(
        run_id="r", name="n", finished=True, failed=False, deleted=False, params={}, epochs={},
        tags={"objective": own},
        metrics={"objective": 0.9, "val_auc": 0.8, "val_f1_at_threshold": 0.6},
    )  # fmt: skip
    labels = prepared.pairs.splits["validation"].labels
    assert _value(run, make_objective(search.objective, labels)) == value


def test_a_study_of_f1_takes_no_trial_that_is_ranked_by_auc(
    prepared: Prepared, tmp_path: Path
) -> None:
    storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    fixed = fixed_fields(prepared)
    load_study(storage, "s", identity(prepared, SEARCH, fixed))
    by_auc = SEARCH.model_copy(update={"objective": "auc"})
    with pytest.raises(StudyError, match="objective was f1, is now auc"):
        load_study(storage, "s", identity(prepared, by_auc, fixed))


def test_a_grid_on_other_data_is_ignored_with_a_notice(
    prepared: Prepared, store: str, tmp_path: Path
) -> None:
    log_grid(store, prepared, tmp_path, "other")
    console = Console(file=io.StringIO(), width=200)
    assert find_finished(prepared, SEARCH, store, console) == []
    assert "no finished trial of 'grid' on this data and encoder" in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_trials_that_were_validated_on_another_number_of_folds_are_ignored(
    prepared: Prepared, store: str, tmp_path: Path
) -> None:
    log_grid(store, prepared, tmp_path, prepared.pairs.fingerprint)
    validation = Validation.model_validate({"folds": 5})
    experiment = prepared.experiment.model_copy(update={"validation": validation})
    console = Console(file=io.StringIO(), width=200)
    assert find_finished(replace(prepared, experiment=experiment), SEARCH, store, console) == []
    words = "no finished trial of 'grid' on this data and encoder, validated on 5 folds: the"
    assert words in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_study_without_folds_takes_no_trial_with_folds(
    prepared: Prepared, tmp_path: Path
) -> None:
    storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    fixed = fixed_fields(prepared)
    before = identity(prepared, SEARCH, fixed)
    assert "folds" not in before  # as studies of earlier versions
    load_study(storage, "s", before)
    validation = Validation.model_validate({"folds": 5})
    experiment = prepared.experiment.model_copy(update={"validation": validation})
    with pytest.raises(StudyError, match="folds was None, is now 5"):
        load_study(storage, "s", identity(replace(prepared, experiment=experiment), SEARCH, fixed))


def test_a_logged_configuration_is_read_back_as_it_was(prepared: Prepared) -> None:
    for config in (
        grid_trial(prepared),
        TrialConfig.model_validate(
            {"freezing": 2, "encoder_learning_rate": "same", "order_seed": 3, "r_drop": 1.0}
        ),
    ):
        params = {name: str(value) for name, value in config.model_dump().items()}
        assert config_from_params(params) == config


def test_the_identity_of_a_study_holds_what_is_not_searched(prepared: Prepared) -> None:
    fixed = fixed_fields(prepared)
    known = identity(prepared, SEARCH, fixed)
    assert "head" in known["space"]
    assert "head" not in known["fixed"]
    assert known["fixed"]["clip_norm"] == 1.0
    assert known["data"] == prepared.pairs.fingerprint


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"learning_rate": 0.5}, "learning_rate 0.5 is outside of 0.0001 to 0.1"),
        ({"epochs": 9}, "epochs 9 is outside of 2 to 5"),
        ({"freezing": "none"}, "freezing none is outside of all, some, 2"),
        ({"head_width": 64}, "head_width is 64, here always 128"),
        ({"optimizer": "sgd", "momentum": 0.1}, "momentum 0.1 is outside of 0.8 to 0.95"),
    ],
)
def test_a_value_outside_of_the_space_is_named(change: dict[str, Any], reason: str) -> None:
    assert locate(SPACE, {**FIXED, **change}, FIXED)[1] == [reason]


def test_a_value_of_an_inactive_field_is_not_compared() -> None:
    coordinates, reasons = locate(SPACE, {**FIXED, "momentum": 0.1}, FIXED)  # under AdamW
    assert reasons == []
    assert "momentum" not in coordinates
