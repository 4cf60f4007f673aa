"""Guards the timeline of a grid: read from its journal, its slots accounted for to the second."""

from pathlib import Path

import pytest

from benchmarks.grid_timeline import TrialTimes, read_timeline, timeline_of, waits
from tests.tuning.tracking.recording import open_log
from tuning.tracking.journal import read_entries


def ran(begin: float, end: float) -> TrialTimes:
    """Return a trial that ran from then to then."""
    return TrialTimes(kind=("all", "sgd"), begin=begin, last_epoch=end - 1, end=end, epochs=[1.0])


def test_a_journal_tells_when_trials_began_and_ended(tmp_path: Path) -> None:
    log = open_log(tmp_path / "launch", "sqlite:///log.db", "grid")
    (tmp_path / "launch/pairs.csv").write_text("")
    log.keep(tmp_path / "launch/pairs.csv", "inputs")
    for name, freezing in (("a", "all"), ("b", "some")):
        log.start_trial(name, name, {"freezing": freezing, "optimizer": "sgd"})
        for epoch in (1, 2):
            log.log_epoch(name, epoch, {"val_f1": 0.5, "seconds": 10.0 * epoch})
        log.log_outcome(name, {"seconds": 99.0}, None)
        log.end_trial(name)
    log.end_parent(failed=0, summary={})
    entries = [*read_entries(log.journal.path)]
    for number, entry in enumerate(entries):
        entry["time"] = 1000 * 100 * number
    found = timeline_of(entries, 150.0)
    assert [trial.kind for trial in found.trials] == [("all", "sgd"), ("some", "sgd")]
    epochs = [100 * n for n, entry in enumerate(entries) if entry.get("step") in {1, 2}]
    first = found.trials[0]
    assert first.epochs == [10.0, 20.0]
    assert (found.first_step, first.last_epoch) == (epochs[0] - 10, epochs[1])
    assert first.between == epochs[1] - epochs[0] - 20
    ends = [100 * n for n, entry in enumerate(entries) if entry["do"] == "end"]
    assert [first.end, found.last_end, found.closed] == ends
    assert (found.opened, found.inputs) == (100, 200)


def test_two_slots_wait_between_trials_and_one_is_idle_at_the_end() -> None:
    trials = [ran(0, 10), ran(2, 20), ran(13, 18), ran(19, 24)]
    waiting, idle = waits(trials, 2)
    assert (waiting, idle) == (2 + 3 + 1, 4)
    assert waiting + idle + sum(t.end - t.begin for t in trials) == 2 * 24


def test_a_folder_without_a_launch_is_no_timeline(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 0 launches and 0 files of states"):
        read_timeline(tmp_path)
