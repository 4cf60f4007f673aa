"""Guards a search that is killed, fails, or runs out of time: its records agree in the end."""

import re
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.end_to_end.running import Call, one_core, started, wait_for
from tests.end_to_end.searching import runs_of, search, study_of, tune_results, words_for
from tuning.run_search import main
from tuning.search.study import StudyError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_turn")]


def has_finished(folder: Path, count: int) -> bool:
    try:
        trials = study_of(folder).trials
    except (KeyError, StudyError):  # there is no folder, no study yet
        return False
    return sum(trial.state == TrialState.COMPLETE for trial in trials) >= count


PLANNED = 6
CHANGES = [
    f"search.num_samples={PLANNED}",
    "search.confirm=1",
    "search.finalists=null",
    "epochs=12",
]
LONGER = [word for change in CHANGES for word in ("--set", change)]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a search that was killed halfway."""
    folder = tmp_path_factory.mktemp("killed")
    with one_core(), started(words_for(folder, *LONGER, quickly=True)) as driver:
        wait_for(lambda: has_finished(folder, 2), driver)
    return folder


def test_a_killed_search_is_not_started_over_unasked(killed: Path, call: Call) -> None:
    refused = call(main, words_for(killed, *LONGER, quickly=True))
    assert refused.returncode == 2
    assert re.search(r"was interrupted .*--resume continues it, --overwrite", refused.stderr)


def test_a_killed_search_ends_with_the_planned_trials_when_resumed(killed: Path) -> None:
    resumed = search(killed, *LONGER, "--resume", quickly=True)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    trials = study_of(killed).trials
    complete = {t.number: t.value for t in trials if t.state == TrialState.COMPLETE}
    assert len(complete) == len(trials) == PLANNED

    store = f"sqlite:///{killed / 'log.db'}"
    assert {run.info.status for run in runs_of(store, "")} == {"FINISHED"}
    runs = runs_of(store, "tags.stage = 'search'")
    assert len(runs) == PLANNED
    logged = {int(r.data.tags["optuna_trial"]): r.data.metrics["objective"] for r in runs}
    assert logged == complete
    kept = {n: value for n, value in tune_results(killed).items() if n in complete}
    assert kept == {n: complete[n] for n in kept}


def test_a_search_whose_trials_all_fail_says_so_and_why(tmp_path: Path) -> None:
    huge = ["--set", "head_width=2000000000000", "--set", "search.num_samples=1"]
    ended = search(tmp_path, *huge, quickly=True)
    assert ended.returncode == 1
    assert re.search(r"failed: all 1 trials? failed: .*their logs are in", ended.stdout, re.DOTALL)
    assert "Traceback" not in ended.stdout + ended.stderr
    assert {t.state for t in study_of(tmp_path).trials} == {TrialState.FAIL}


def test_when_the_time_is_up_every_record_is_closed_and_they_agree(tmp_path: Path) -> None:
    words = ["search.time_budget=14.0", "search.scheduler=none", "search.confirm=1", "epochs=12",
             "search.num_samples=40"]  # fmt: skip
    search(tmp_path, *(word for value in words for word in ("--set", value)), quickly=True)
    trials = [t for t in study_of(tmp_path).trials if t.state != TrialState.WAITING]
    queued = study_of(tmp_path).get_trials(states=[TrialState.WAITING])
    assert not [t for t in queued if "launch" in t.user_attrs]  # none of them was begun
    complete = {t.number for t in trials if t.state == TrialState.COMPLETE}
    assert {t.state for t in trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    runs = runs_of(f"sqlite:///{tmp_path / 'log.db'}", "tags.stage = 'search'")
    assert "RUNNING" not in {run.info.status for run in runs}
    finished = {r.data.tags["optuna_trial"] for r in runs if r.info.status == "FINISHED"}
    assert {int(number) for number in finished} == complete
