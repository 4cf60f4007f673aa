"""Guards drivers that join a search: no trial drawn twice, none too many, results handed over."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from measures.objective import SEED_MEAN
from tests.end_to_end.servers import find_postgres, postgres
from tests.tuning.search.test_study import sampler
from tuning.search.sampling import EpochSearch
from tuning.search.startup import ResumableTPESampler
from tuning.search.study import (
    METRICS,
    StudyError,
    announce,
    announced,
    close_stale,
    hand_over,
    has_room,
    joined,
    load_study,
    open_storage,
    queued,
    wait_for_joined,
)
from tuning.system.sqlite_lock import lock_sqlite

COUNT = 6
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database, of which each driver opens connections of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'study.db'}"
    elif find_postgres() is None:
        pytest.skip("PostgreSQL is not installed")
    else:
        with postgres("optuna") as urls:
            yield urls["optuna"]


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return load_study(open_storage(f"sqlite:///{tmp_path / 'study.db'}"), "x", {})


@contextmanager
def connected(url: str) -> Iterator[RDBStorage]:
    """Give a storage with connections of its own, which are closed at the end."""
    storage = open_storage(url)
    yield storage
    storage.remove_session()
    storage.engine.dispose()


def make_searcher(storage: RDBStorage, launch: str) -> EpochSearch:
    return EpochSearch(
        replace(sampler(launch), search="one", count=COUNT),
        metric=SEED_MEAN,
        mode="max",
        sampler=ResumableTPESampler(7, 3),
        study_name="x",
        storage=storage,
    )


def draw(url: str, launch: str) -> list[dict[str, Any]]:
    """Return what a driver draws for the search of the launch ``one``; trials end at once."""
    drawn = []
    with connected(url) as storage:
        searcher = make_searcher(storage, launch)
        while isinstance(found := searcher.suggest(str(len(drawn))), dict):
            searcher.on_trial_complete(str(len(drawn)), {SEED_MEAN: 0.5, "training_iteration": 1})
            drawn.append(found["point"])
    return drawn


def test_drivers_that_draw_at_once_draw_no_trial_twice_and_none_too_many(url: str) -> None:
    with connected(url) as storage:
        study = load_study(storage, "x", {})
        for rate in (0.01, 0.02, 0.03, 0.04):
            study.enqueue_trial({"learning_rate": rate})
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(draw, 3 * [url], ("one", "two", "three")))
        complete = study.get_trials(states=[TrialState.COMPLETE])
    numbers = [point["tags"]["optuna_trial"] for points in found for point in points]
    assert sorted(map(int, numbers)) == list(range(COUNT))
    assert len({str(trial.params) for trial in complete}) == len(complete) == COUNT


def test_a_driver_draws_from_a_sqlite_file_only_while_no_other_does(
    study: optuna.Study, tmp_path: Path
) -> None:
    study.enqueue_trial({"learning_rate": 0.01})
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with connected(url) as storage, ThreadPoolExecutor(1) as pool:
        with lock_sqlite(url):
            drawing = pool.submit(make_searcher(storage, "two").suggest, "0")
            with pytest.raises(TimeoutError):
                drawing.result(timeout=0.5)
            assert study.trials[0].state == TrialState.WAITING
        assert isinstance(drawing.result(), dict)
    assert study.trials[0].state == TrialState.RUNNING


def test_a_search_is_joined_only_while_it_draws(study: optuna.Study) -> None:
    with pytest.raises(StudyError, match="--join: no search draws from the study 'x' of this sto"):
        announced(study)
    announce(study, "one", 4)
    assert announced(study) == ("one", 4)
    announce(study, "one", 0)
    with pytest.raises(StudyError, match="start one without --join"):
        announced(study)


def ask(study: optuna.Study, launch: str) -> optuna.Trial:
    trial = study.ask()
    replace(sampler(launch), search="one")(trial)
    return trial


def test_a_search_is_joined_only_with_its_own_seed(study: optuna.Study) -> None:
    announce(study, "one", 4, seed=3)
    assert announced(study, 3) == ("one", 4)
    with pytest.raises(StudyError, match=r"search\.seed: must be 3, .* got 7; --set"):
        announced(study, 7)


def test_a_trial_that_is_being_drawn_leaves_no_room_for_a_later_one(study: optuna.Study) -> None:
    study.ask()  # by another driver, which has not noted yet for which search
    later = ask(study, "two")
    assert not has_room(study, later.number, "one", 1)
    assert has_room(study, later.number, "one", 2)


def test_trials_and_notes_of_the_version_before_neither_take_room_nor_refuse_a_driver(
    study: optuna.Study,
) -> None:
    study.ask().set_user_attr("launch", "old")  # left running; it noted no search
    study.set_user_attr("search", {"launch": "one", "count": 1})  # without the seed
    assert announced(study, 7) == ("one", 1)
    assert has_room(study, ask(study, "two").number, "one", 1)


def test_metrics_are_in_the_study_once_a_joined_driver_ends_a_trial(study: optuna.Study) -> None:
    storage = cast("RDBStorage", study._storage)  # pyright: ignore[reportPrivateUsage]
    searcher = make_searcher(storage, "two")
    best = {SEED_MEAN: 0.5, "diverged": 0.0}
    for name, epochs in (("finished", 2), ("stopped", 1)):
        searcher.suggest(name)
        told = {SEED_MEAN: 0.5, "training_iteration": 1, "epoch": 1, "report": [{"best": best}]}
        if epochs == 2:
            searcher.on_trial_result(name, told)
            told = {SEED_MEAN: 0.5, "training_iteration": 2, "finished": True}
        searcher.on_trial_complete(name, told)
    found = joined(study, "one", TrialState.COMPLETE)
    assert [trial.user_attrs[METRICS] for trial in found] == [best, best]


def test_trials_out_of_time_are_handed_over_and_interrupted_ones_queued(
    study: optuna.Study,
) -> None:
    own, ended, interrupted = ask(study, "one"), ask(study, "two"), ask(study, "two")
    metrics = {SEED_MEAN: 0.5, "diverged": 0.0}
    hand_over(study, "two", {ended.number: metrics})
    wait_for_joined(study, "one", 60)
    (found,) = joined(study, "one", TrialState.COMPLETE)
    assert (found.number, found.value, found.user_attrs[METRICS]) == (ended.number, 0.5, metrics)
    assert queued(study, "one") == 1
    assert study.trials[own.number].state == TrialState.RUNNING
    again = study.ask()
    assert (again.number, again.params) == (interrupted.number, interrupted.params)


def test_trials_of_a_joined_driver_that_is_silent_are_queued(study: optuna.Study) -> None:
    lost = ask(study, "two")
    wait_for_joined(study, "one", 0.1)
    assert study.trials[lost.number].state == TrialState.WAITING
    assert queued(study, "one") == 1


def test_a_trial_that_another_driver_is_drawing_is_not_queued_for_this_one(
    study: optuna.Study,
) -> None:
    trial = study.ask()
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(close_stale, study, "one", {})
        replace(sampler("two"), search="one")(trial)
        assert closing.result() == []
    assert study.trials[trial.number].state == TrialState.RUNNING
