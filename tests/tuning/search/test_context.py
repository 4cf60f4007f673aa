"""Guards resuming a search: study and log agree afterwards, and a wrong storage is refused."""

import io
from pathlib import Path
from typing import cast

import optuna
import pytest
from rich.console import Console

from models.number_formats import FLOAT32, Precision
from models.precision import describe_device
from tests.tuning.config.test_search_space import FIXED, SPACE
from tests.tuning.search.test_study import IDENTITY, SETTINGS
from tests.tuning.tracking.recording import open_log
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.search.confirmation import Retrained, SearchError
from tuning.search.context import Search, reconcile, tag_origins
from tuning.search.pipeline import record_champion
from tuning.search.sampling import ConfigSampler
from tuning.search.study import StudyError, load_study, open_storage
from tuning.tracking.delivery import Delivery
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.launch_log import PARENT
from tuning.tracking.record import Launch


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """Return a search with a log and a study, and without data."""
    log = open_log(tmp_path, "sqlite://", "x")
    sampler = ConfigSampler(
        space=SPACE, fixed=FIXED, settings=SETTINGS, launch=log.launch, train_pairs=9, votes=True
    )
    return Search(
        launch=Launch(
            prepared=cast(Prepared, None),
            settings=cast(LaunchSettings, None),
            log=log,
            precision=Precision(FLOAT32, FLOAT32),
            device=describe_device(),
            console=Console(file=io.StringIO()),
            delivery=Delivery(log.journal, "sqlite://"),
        ),
        settings=SETTINGS,
        study=load_study(open_storage(f"sqlite:///{tmp_path / 'study.db'}"), "x", IDENTITY),
        sampler=sampler,
        recorded_champion=None,
    )


def start_run(search: Search, number: int) -> str:
    """Open the run of a trial in the log and return its key."""
    key, tags = f"search/{number:03d}", {"stage": "search", "optuna_trial": str(number)}
    config = TrialConfig.model_validate({"targets": "votes"})
    search.launch.log.start_trial(key, f"{number:03d}", config.model_dump(), tags)
    return key


def test_a_trial_that_one_record_finished_is_completed_in_the_other(search: Search) -> None:
    log = search.launch.log
    trials = [search.study.ask() for _ in range(3)]
    for trial in trials:
        search.sampler(trial)
    keys = [start_run(search, trial.number) for trial in trials]
    log.log_outcome(keys[0], {"objective": 0.7}, None)
    log.end_trial(keys[0])
    search.study.tell(trials[1], 0.8)
    outcomes = reconcile(search)
    assert [outcome.metrics["objective"] for outcome in outcomes] == [0.7, 0.8]
    assert [trial.value for trial in search.study.trials] == [0.7, 0.8, None]
    assert [log.runs[key].status for key in keys] == ["FINISHED", "FINISHED", "RUNNING"]
    assert search.study.trials[2].state == optuna.trial.TrialState.WAITING


def test_a_study_without_the_launchs_trials_is_refused(search: Search) -> None:
    key = start_run(search, 0)
    search.launch.log.log_outcome(key, {"objective": 0.7}, None)
    with pytest.raises(StudyError, match=r"'x' has no trial of the search .*--storage URL"):
        reconcile(search)


def test_a_value_of_another_launchs_trial_is_not_taken_over(search: Search) -> None:
    search.study.add_trial(optuna.trial.create_trial(value=0.5))
    key = start_run(search, 0)
    assert reconcile(search) == []
    assert search.launch.log.runs[key].status == "RUNNING"


def test_who_chose_each_trial_is_noted_once(search: Search) -> None:
    search.study.enqueue_trial({"optimizer": "sgd"})
    keys = []
    for _ in range(2):
        trial = search.study.ask()
        search.sampler(trial)
        keys.append(start_run(search, trial.number))
    tag_origins(search)
    entries = len(search.launch.log.journal.entries)
    tag_origins(search)  # as a resumed search does
    assert len(search.launch.log.journal.entries) == entries
    assert [search.launch.log.runs[key].tags["origin"] for key in keys] == ["given", "TPE"]


def test_a_resumed_search_does_not_change_its_champion(search: Search) -> None:
    config = TrialConfig.model_validate({"targets": "votes"})
    record_champion(search, Retrained(config=config, outcomes=[]))
    recorded = search.launch.log.runs[PARENT].tags["champion"]
    resumed = Search(
        launch=search.launch,
        settings=SETTINGS,
        study=search.study,
        sampler=search.sampler,
        recorded_champion=recorded,
    )
    record_champion(resumed, Retrained(config=config, outcomes=[]))
    other = config.model_copy(update={"dropout": 0.4})
    with pytest.raises(SearchError, match="another configuration than the one it recorded"):
        record_champion(resumed, Retrained(config=other, outcomes=[]))
