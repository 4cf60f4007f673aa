"""Guards a launch's log: it is the same when read after a crash, and records nothing twice."""

from pathlib import Path

import pytest

from measures.objective import VALIDATION_F1
from tests.tuning.tracking.recording import CHAMPIONS, open_log, outcome
from tuning.tracking.journal import Journal
from tuning.tracking.launch_log import CHAMPION, PARENT, LaunchLog
from tuning.tracking.mlflow_pages import View, source_tags
from tuning.tracking.run_record import EPOCH_PREFIX

URI = "sqlite:////none.db"


@pytest.fixture
def log(tmp_path: Path) -> LaunchLog:
    return open_log(tmp_path, URI, "x")


def again(log: LaunchLog) -> LaunchLog:
    return LaunchLog(Journal(log.journal.folder))


def test_a_log_that_is_read_again_is_the_same(log: LaunchLog, tmp_path: Path) -> None:
    log.start_trial("grid/01", "01", {"seed": 3}, {"stage": "grid"})
    log.log_epoch("grid/01", 1, {"val_f1": 0.25})
    log.log_outcome("grid/01", {"val_f1": 0.5, "collapsed": 1.0}, outcome(tmp_path))
    log.end_trial("grid/01")
    log.start_trial("grid/02", "02", {}, {"stage": "grid"})
    log.end_trial("grid/02", cause="line 1\nthe worker died")
    log.tag(PARENT, {"study": "s"})
    (tmp_path / "pairs").write_text("")
    log.keep(tmp_path / "pairs", "data")
    found = again(log)
    assert found.runs == log.runs
    assert found.kept == log.kept == {"data/pairs"}
    assert found.launch == log.launch
    assert found.runs["grid/01"].tags["flags"] == "collapsed"
    assert (found.runs["grid/02"].status, found.runs["grid/02"].tags["cause"][-4:]) == (
        "FAILED", "died",
    )  # fmt: skip


def test_what_is_recorded_is_not_recorded_again(log: LaunchLog, tmp_path: Path) -> None:
    folder = outcome(tmp_path)

    def record(seconds: float) -> None:
        log.start_trial("grid/01", "01", {"seed": 3})
        log.log_epoch("grid/01", 1, {"val_f1": 0.25})
        log.log_outcome("grid/01", {"val_f1": 0.5, "seconds": seconds}, folder)
        log.keep(folder / "model/classifier.json", "encoder")

    record(1.0)
    entries = len(log.journal.entries)
    record(2.0)  # a trial whose files were damaged is trained again
    assert len(log.journal.entries) == entries
    log = again(log)
    record(3.0)
    assert len(log.journal.entries) == entries


def test_a_launch_is_open_until_it_ends_or_is_given_up(log: LaunchLog) -> None:
    assert log.open_launch
    log.start_trial("grid/01", "01", {})
    log.give_up("interrupted")
    assert not again(log).open_launch
    assert {run.status for run in log.runs.values()} == {"KILLED"}


def test_a_launch_that_ended_is_not_open(log: LaunchLog) -> None:
    log.end_parent(failed=1, summary={"test_f1": 0.5})
    assert not again(log).open_launch
    assert again(log).runs[PARENT].status == "FAILED"


def test_children_are_those_of_a_stage(log: LaunchLog) -> None:
    for stage in ("search", "confirm"):
        for name in ("1", "0"):
            log.start_trial(f"{stage}/{name}", name, {}, {"stage": stage})
    assert [run.key for run in log.children("search")] == ["search/1", "search/0"]
    log.settle("search/1", {"objective": 0.7})
    log.close_interrupted("search/0", "no time")
    assert [(run.status, run.metrics) for run in again(log).children("search")] == [
        ("FINISHED", {"objective": 0.7}),
        ("KILLED", {}),
    ]


def test_a_champion_is_recorded_once(log: LaunchLog, tmp_path: Path) -> None:
    folder = outcome(tmp_path)
    for opened in (log, again(log)):
        opened.log_champion(CHAMPIONS, {"test_f1": 0.7}, folder)
    entries = [entry for entry in again(log).journal.entries if entry.get("run") == CHAMPION]
    assert [entry["do"] for entry in entries] == ["run", "files", "metrics", "register", "end"]


def test_the_best_score_so_far_is_no_final_one(log: LaunchLog) -> None:
    log.start_trial("grid/01", "01", {})
    log.log_epoch("grid/01", 1, {"val_f1": 0.25}, best=0.5)
    entry = log.journal.entries[-1]
    assert (entry["prefix"], entry["so_far"]) == ("while_training/", {VALIDATION_F1: 0.5})
    for known in (log, again(log)):
        assert known.runs["grid/01"].metrics == {}
        assert known.runs["grid/01"].epochs == {"val_f1": 0.25}


def test_the_names_of_epochs_come_after_those_of_final_scores() -> None:
    finals = ("best_epoch", "seconds", "test_recall_at_threshold", "val_recall_at_threshold")
    assert max(finals) < EPOCH_PREFIX


def test_every_run_of_a_launch_has_its_source_and_data_set(tmp_path: Path) -> None:
    log = LaunchLog(Journal(tmp_path))
    log.open("x", tmp_path / "artifacts", URI, {})
    source, data_set = source_tags("tuning/run_grid.py", "abc"), {"name": "pairs", "digest": "1"}
    log.start_parent("parent", {}, source, data_set=data_set)
    again(log).start_trial("grid/01", "01", {})
    log = again(log)
    log.log_champion(CHAMPIONS, {"test_f1": 0.7}, outcome(tmp_path))
    for known in (log, again(log)):
        assert set(known.runs) == {PARENT, "grid/01", CHAMPION}
        assert all(run.data_set == data_set for run in known.runs.values())
        assert all(source.items() <= run.tags.items() for run in known.runs.values())


def test_a_launch_keeps_one_view(log: LaunchLog) -> None:
    view = View(varied=["optimizer"])
    for known in (log, again(log)):
        known.keep_view(view)
        known.keep_view(view)
    (entry,) = [entry for entry in again(log).journal.entries if entry["do"] == "view"]
    assert log.launch in entry["state"]["searchFilter"]
