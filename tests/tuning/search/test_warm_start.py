"""Guards what a search learns from: finished trials of the same data, as it would draw them."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.empty_store import put_store
from tests.tuning.tracking.recording import deliver_all, open_log
from tuning.config.experiment import TrialConfig, config_from_params
from tuning.config.loader import load_experiment
from tuning.config.search_space import SearchSettings
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import DataLocations
from tuning.search.context import comparable, fixed_fields, identity
from tuning.search.warm_start import find_finished, locate
from tuning.system.project import ROOT
from tuning.training.metrics import all_positive_f1

SEARCH = SearchSettings(warm_start="grid")  # pyright: ignore[reportCallIssue] - defaults


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
    metrics = {"val_f1_at_threshold": 0.7, "collapsed": 0.0, "diverged": 0.0}
    for name, change in (("sound", {}), ("collapsed", {"collapsed": 1.0})):
        config = grid_trial(prepared, learning_rate=0.01)
        log.start_trial(name, name, config.model_dump())
        log.log_outcome(name, {**metrics, **change}, None)
        log.end_trial(name)
    deliver_all(log, store)


def test_a_grids_trials_lie_in_the_shipped_space_at_what_they_are_worth(
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
        assert coordinates["epochs"] == 5  # 13 epochs were run: more than the space has


def test_a_grid_of_other_data_is_not_learned_from_and_that_is_said(
    prepared: Prepared, store: str, tmp_path: Path
) -> None:
    log_grid(store, prepared, tmp_path, "other")
    console = Console(file=io.StringIO(), width=200)
    assert find_finished(prepared, SEARCH, store, console) == []
    assert "no finished trial of 'grid' on this data and encoder" in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_logged_configuration_is_read_back_as_it_was(prepared: Prepared) -> None:
    for config in (
        grid_trial(prepared),
        TrialConfig.model_validate(
            {"freezing": 2, "encoder_learning_rate": "same", "order_seed": 3, "r_drop": 1.0}
        ),
    ):
        params = {name: str(value) for name, value in config.model_dump().items()}
        assert config_from_params(params) == config


def test_a_study_is_told_apart_by_what_is_not_searched(prepared: Prepared) -> None:
    fixed = fixed_fields(prepared)
    known = identity(prepared, SEARCH, fixed)
    assert "head" in known["space"]
    assert "head" not in known["fixed"]
    assert known["fixed"]["clip_norm"] == 1.0
    assert known["data"] == prepared.pairs.fingerprint
