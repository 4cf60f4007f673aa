"""Guards two drivers of one search, on PostgreSQL: no trial twice, all logged, a champion."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from mlflow.entities import Run
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tests.end_to_end.running import Ended, one_core, started, store_in, wait_for
from tests.end_to_end.searching import runs_of, search, words_for
from tests.end_to_end.servers import find_postgres, postgres
from tuning.search.study import open_storage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_postgres() is None, reason="PostgreSQL is not installed"),
    pytest.mark.usefixtures("in_turn"),
]
SMALL = ["search.num_samples=3", "search.confirm=1", "search.finalists=null", "epochs=2"]


@dataclass(frozen=True, kw_only=True)
class Both:
    """What two drivers left behind: the first was held while the other drew."""

    folder: Path
    study: list[FrozenTrial]
    first: Ended
    joined: Ended

    def runs(self, query: str) -> list[Run]:
        return runs_of(store_in(self.folder / "first"), query)

    @property
    def launches(self) -> dict[str, str]:
        """Return the ids of the launches by kind."""
        found = self.runs("tags.key = 'launch'")
        return {run.data.tags["kind"]: run.data.tags["launch"] for run in found}


def places(folder: Path, url: str) -> list[str]:
    changes = [word for change in SMALL for word in ("--set", change)]
    return ["--storage", url, "--tracking-uri", store_in(folder / "first"), *changes]


def trials_in(storage: RDBStorage) -> list[FrozenTrial]:
    try:
        return optuna.load_study(study_name="smoke_search", storage=storage).trials
    except KeyError:  # there is no study yet
        return []


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("joined")
    (folder / "first").mkdir()
    (folder / "other").mkdir()
    with postgres("optuna") as urls, one_core():
        url = urls["optuna"]
        storage = open_storage(url)  # makes its tables, which only one program at a time may
        words = places(folder, url)
        with started(words_for(folder / "first", *words, quickly=True)) as driver:
            wait_for(lambda: any("search" in t.user_attrs for t in trials_in(storage)), driver)
            driver.send_signal(signal.SIGSTOP)  # it has drawn one, and leaves the others
            joined = search(folder / "other", *words, "--join", quickly=True)
            driver.send_signal(signal.SIGCONT)
            output, errors = driver.communicate()
        first = Ended(words, driver.returncode, output, errors)
        yield Both(folder=folder, study=trials_in(storage), first=first, joined=joined)
        storage.remove_session()
        storage.engine.dispose()


def test_each_driver_draws_and_no_trial_is_drawn_twice(both: Both) -> None:
    assert both.joined.returncode == 0, both.joined.stdout + both.joined.stderr
    assert both.first.returncode == 0, both.first.stdout + both.first.stderr
    assert "2 configurations were trained; the search that was joined goes on" in (
        both.joined.stdout
    )
    trials = both.study
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert [trial.number for trial in done] == [0, 1, 2]
    assert {t.state for t in trials[3:]} <= {TrialState.FAIL}  # drawn when there were enough
    assert len({str(trial.params) for trial in done}) == 3
    launches = both.launches
    drawn_by = [launches[kind] for kind in ("experiment", "joined", "joined")]
    assert [trial.user_attrs["launch"] for trial in done] == drawn_by


def test_the_first_driver_logs_the_trials_of_both_with_their_metrics(both: Both) -> None:
    launches, trials = both.launches, both.study
    logged, own = (
        {int(run.data.tags["optuna_trial"]): run for run in both.runs(
            f"tags.stage = 'search' and tags.launch = '{launches[kind]}'"
        )}
        for kind in ("experiment", "joined")
    )  # fmt: skip
    assert sorted(logged) == [0, 1, 2]
    assert {n for n, run in logged.items() if run.data.tags.get("driver") == "joined"} == set(own)
    assert sorted(own) == [1, 2]
    for number, run in logged.items():
        assert run.info.status == "FINISHED"
        assert run.data.metrics["objective"] == trials[number].value
    for number, run in own.items():
        final = {n: v for n, v in run.data.metrics.items() if "/" not in n and n != "seconds"}
        assert {name: logged[number].data.metrics[name] for name in final} == final
        assert logged[number].data.params == run.data.params


def test_there_is_one_champion_and_every_run_has_ended(both: Both) -> None:
    (champion,) = both.runs("tags.kind = 'champion'")
    assert champion.data.tags["launch"] == both.launches["experiment"]
    assert {run.info.status for run in both.runs("")} == {"FINISHED"}
