"""Guards the Optuna study: one search each, no trial counted twice, errors with the way out."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from measures.addresses import sqlite_url
from tests.tuning.config.test_search_space import FIXED, SPACE
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.search.sampling import ConfigSampler
from tuning.search.startup import ResumableTPESampler
from tuning.search.study import (
    StudyError,
    close_stale,
    enqueue_first,
    load_study,
    open_storage,
    trials_of,
    waiting,
)
from tuning.search.warm_start import warm_start

IDENTITY = {"space": {"dropout": [0.1, 0.2]}, "fixed": {"head": "cross_attention"}, "data": "a"}
SETTINGS = SearchSettings(seeds=3, seed=7)  # pyright: ignore[reportCallIssue] - defaults


@pytest.fixture
def storage(tmp_path: Path) -> optuna.storages.RDBStorage:
    return open_storage(f"sqlite:///{tmp_path / 'study.db'}")


@pytest.fixture
def study(storage: optuna.storages.RDBStorage) -> optuna.Study:
    return load_study(storage, "x", IDENTITY)


def sampler(launch: str = "one") -> ConfigSampler:
    return ConfigSampler(
        space=SPACE, fixed=FIXED, settings=SETTINGS, launch=launch, train_pairs=100, votes=True
    )


def test_a_study_is_opened_again_by_its_name(
    storage: optuna.storages.RDBStorage, study: optuna.Study
) -> None:
    study.add_trial(optuna.trial.create_trial(value=0.5))
    assert len(load_study(storage, "x", IDENTITY).trials) == 1
    assert len(load_study(storage, "y", IDENTITY).trials) == 0


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"data": "b"}, "data was a, is now b"),
        ({"fixed": {"head": "mean_pooling"}}, "fixed.head was cross_attention, is now mean_poo"),
        ({"space": {}}, r"space.dropout was \[0.1, 0.2\], is now None"),
    ],
)
def test_another_search_under_the_same_name_is_refused(
    storage: optuna.storages.RDBStorage,
    study: optuna.Study,
    change: dict[str, Any],
    difference: str,
) -> None:
    study.add_trial(optuna.trial.create_trial(value=0.5))
    with pytest.raises(StudyError, match=f"'x' holds trials of another search: .*{difference}"):
        load_study(storage, "x", {**IDENTITY, **change})
    assert len(study.trials) == 1


def test_several_may_open_a_new_storage_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with ThreadPoolExecutor(4) as opening:
        storages = list(opening.map(open_storage, [url] * 4))
    load_study(storages[0], "x", IDENTITY)
    assert [s.get_all_studies()[0].study_name for s in storages] == ["x"] * 4


@pytest.mark.parametrize(
    "url", ["sqlite:////proc/none/x.db", "nonsense", "oracle9://me:secret@host/x"]
)
def test_an_unreachable_storage_is_reported_without_its_password(url: str) -> None:
    with pytest.raises(StudyError, match="--storage names another") as caught:
        open_storage(url)
    assert "secret" not in str(caught.value)


def test_studies_are_not_added_to_the_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table experiments (name)")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(StudyError, match=r"log\.db cannot be used: it is the database of another"):
        open_storage(sqlite_url(path))
    assert path.read_bytes() == before
    (tmp_path / "empty.db").touch()
    open_storage(sqlite_url(tmp_path / "empty.db"))


def test_a_drawn_trial_has_its_configuration_seeds_and_tags(study: optuna.Study) -> None:
    trial = study.ask()
    point = sampler()(trial)["point"]
    config = TrialConfig(**point["trial"])
    assert config.targets == "votes"
    assert point["seeds"] == [7, 8, 9]
    assert (config.seed, config.order_seed) == (7, 7)
    number = str(trial.number)
    assert point["tags"] == {"stage": "search", "optuna_trial": number, "objective": "auc"}
    assert [t.number for t in trials_of(study, "one")] == [trial.number]


def draw(study: optuna.Study, count: int) -> None:
    study.sampler = ResumableTPESampler(SETTINGS.seed, startup_trials=4)
    for _ in range(count):
        trial = study.ask()
        sampler()(trial)
        study.tell(trial, trial.number / 20)


def test_the_same_seed_draws_the_same_trials_after_a_crash(
    storage: optuna.storages.RDBStorage,
) -> None:
    studies = [load_study(storage, name, IDENTITY) for name in ("a", "b")]
    draw(studies[0], 12)
    for count in (3, 4, 5):  # each time with a new sampler, as after a crash
        draw(studies[1], count)
    one, other = ([trial.params for trial in study.trials] for study in studies)
    assert one == other
    assert len({str(params) for params in one}) > 6


def test_interrupted_trials_resume_as_the_same_trials(study: optuna.Study) -> None:
    trials = [study.ask() for _ in range(3)]
    for trial in trials:
        sampler()(trial)
    other = study.ask()
    sampler("another launch")(other)
    assert close_stale(study, "one", {trials[0].number: 0.7}) == waiting(study) == [1, 2]
    assert study.trials[0].value == 0.7
    assert study.trials[3].state == TrialState.RUNNING  # of another launch, which may still run
    again = [study.ask() for _ in range(2)]
    for trial in again:
        sampler()(trial)
    assert [(t.number, t.params) for t in again] == [(t.number, t.params) for t in trials[1:]]
    assert close_stale(study, "one", {t.number: 0.1 for t in again}) == []
    assert len(study.trials) == 4


def test_a_trial_that_failed_as_its_driver_died_is_not_tried_again(study: optuna.Study) -> None:
    sampler()(study.ask())
    assert close_stale(study, "one", {0: None}) == waiting(study) == []
    assert study.trials[0].state == TrialState.FAIL


def test_interrupted_trials_that_are_not_queued_fail(study: optuna.Study) -> None:
    sampler()(study.ask())
    assert close_stale(study, "one", {}, requeue=False) == [0]
    assert study.trials[0].state == TrialState.FAIL


def test_parameters_to_try_first_are_queued_once(study: optuna.Study) -> None:
    first = [{"learning_rate": 0.01}, {"learning_rate": 0.02}]
    for _ in range(2):
        enqueue_first(study, first)
    assert waiting(study) == [0, 1]


def test_a_warm_start_counts_each_trial_once(study: optuna.Study) -> None:
    inside = {**FIXED, "learning_rate": 0.01, "epochs": 3}
    outside = {**inside, "learning_rate": 0.9}
    finished = [("run-1", inside, 0.7), ("run-2", outside, 0.6)]
    assert warm_start(study, SPACE, FIXED, finished) == 1
    assert warm_start(study, SPACE, FIXED, finished) == 1
    (trial,) = study.trials
    assert (trial.value, trial.user_attrs["run_id"]) == (0.7, "run-1")
    assert trial.params["learning_rate"] == 0.01
    assert "momentum" not in trial.params


def test_a_warm_start_from_another_space_is_refused(study: optuna.Study) -> None:
    finished = [("run-1", {**FIXED, "learning_rate": 0.9}, 0.7)]
    message = "none of its 1 trials lies in this space.*learning_rate 0.9 is outside.*=null"
    with pytest.raises(StudyError, match=message):
        warm_start(study, SPACE, FIXED, finished)
    assert not study.trials


def test_a_trial_that_was_being_drawn_is_queued_again(study: optuna.Study) -> None:
    sampler("one")(study.ask())  # of this launch
    sampler("other")(study.ask())  # of another, which may be running
    study.ask()  # the driver was killed before the trial bore its launch
    assert close_stale(study, "one", {}) == waiting(study) == [0, 2]


def test_a_study_lies_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "50%20done why? #ü {b}"
    folder.mkdir()
    storage = open_storage(sqlite_url(folder / "study.db"))
    assert load_study(storage, "x", IDENTITY).study_name == "x"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert (folder / "study.db").is_file()
