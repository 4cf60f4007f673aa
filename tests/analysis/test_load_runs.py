"""Guards the reading of a store: complete rows, or a note, but never an invented number."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from analysis.load_runs import Store, StoreError
from analysis.run_rows import METRICS, to_number
from tests.analysis.conftest import Runs


@pytest.fixture
def runs(empty_store: Path, tmp_path: Path) -> Runs:
    shutil.copyfile(empty_store, tmp_path / "log.db")
    return Runs(tmp_path / "log.db", "grid")


def test_a_trial_becomes_a_row_with_numbers_as_numbers(runs: Runs) -> None:
    runs.trial(runs.parent("launch"), "01", learning_rate="0.01", test_f1=0.625)
    launch = Store(runs.uri).latest("grid")
    assert launch is not None
    row = launch.trials.iloc[0].to_dict()
    assert (row["name"], row["learning_rate"], row["seed"]) == ("01", 0.01, 0)
    assert (row["freezing"], row["test_f1"]) == ("all", 0.625)


def test_missing_columns_are_named_and_the_trial_left_out(runs: Runs) -> None:
    parent = runs.parent("launch")
    runs.trial(parent, "01")
    runs.trial(parent, "02", test_auc=None, test_f1=None)
    store = Store(runs.uri)
    launch = store.latest("grid")
    assert launch is not None
    assert launch.trials["name"].tolist() == ["01"]
    assert "Trial '02' of 'grid' is left out: it lacks test_f1, test_auc." in store.notes


def test_failed_trials_are_named(runs: Runs) -> None:
    parent = runs.parent("launch")
    runs.trial(parent, "01")
    runs.trial(parent, "02", status="FAILED")
    store = Store(runs.uri)
    assert store.latest("grid") is not None
    assert store.notes == ["Experiment 'grid': 1 of 2 trials did not finish; left out: 02."]


def test_a_newer_launch_without_a_finished_trial_is_skipped(runs: Runs) -> None:
    older = runs.parent("older")
    runs.trial(older, "01")
    newer = runs.parent("newer")
    runs.trial(newer, "01", status="FAILED")
    store = Store(runs.uri)
    launch = store.latest("grid")
    assert launch is not None
    assert launch.run_id == older
    assert any("Launch 'newer'" in note and "no finished trial" in note for note in store.notes)


def test_with_only_failed_runs_the_launch_is_returned_without_trials(runs: Runs) -> None:
    runs.trial(runs.parent("launch"), "01", status="FAILED")
    launch = Store(runs.uri).latest("grid")
    assert launch is not None
    assert not len(launch.trials)
    assert launch.failed == ["01"]


def test_runs_of_other_code_are_counted_and_left_out(runs: Runs) -> None:
    runs.client.create_run(runs.experiment, run_name="somebody else's")
    store = Store(runs.uri)
    assert store.latest("grid") is None
    assert store.notes == [
        "Experiment 'grid': runs that other code logged are left out (1).",
        "Experiment 'grid' has no launch of this program.",
    ]


def test_a_missing_experiment_is_noted(runs: Runs) -> None:
    store = Store(runs.uri)
    assert store.latest("freezing") is None
    assert store.notes == ["The store has no experiment 'freezing'."]


def test_a_search_is_found_by_its_parent(runs: Runs) -> None:
    assert Store(runs.uri).search() is None
    parent = runs.parent("launch", search="optuna")
    runs.client.log_metric(runs.trial(parent, "01"), "objective", 0.7)
    launch = Store(runs.uri).search()
    assert launch is not None
    assert launch.run_id == parent


def test_a_search_without_a_finished_trial_is_left_out_with_a_note(runs: Runs) -> None:
    runs.trial(runs.parent("launch", search="optuna"), "000", status="FAILED")
    store = Store(runs.uri)
    assert store.search() is None
    assert "Launch 'launch' of experiment 'grid' has no finished trial" in store.notes[-1]


def test_trials_come_in_the_order_of_their_numbers(runs: Runs) -> None:
    parent = runs.parent("launch")
    for number, name in (("02", "adamw"), ("01", "sgd")):
        runs.client.set_tag(runs.trial(parent, name), "trial", number)
    launch = Store(runs.uri).latest("grid")
    assert launch is not None
    assert launch.trials["name"].tolist() == ["sgd", "adamw"]


def test_a_missing_store_is_named_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"none\.db: no such MLflow store; python tuning/run_grid"
    ):
        Store(f"sqlite:///{tmp_path / 'none.db'}")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"this is no database, whatever its name says" * 10)
    with pytest.raises(StoreError, match=r"log\.db: cannot be read: "):
        Store(f"sqlite:///{tmp_path / 'log.db'}")


def test_a_missing_artifact_is_named(runs: Runs) -> None:
    run = runs.trial(runs.parent("launch"), "01")
    with pytest.raises(StoreError, match=rf"run {run} has no attention\.json"):
        Store(runs.uri).attention(run)


def test_numbers_are_parsed_and_words_stay_text() -> None:
    assert [to_number(text) for text in ("3", "0.5", "1e-3", "all")] == [3, 0.5, 0.001, "all"]


def test_a_searchs_trials_need_no_test_scores_and_its_retrainings_are_no_trials(
    runs: Runs,
) -> None:
    parent = runs.parent("launch", search="optuna")
    without: dict[str, Any] = {name: None for name in METRICS if name.startswith("test_")}
    drawn = runs.trial(parent, "000", **without)
    retrained = runs.trial(parent, "best-1-seed-1000")
    runs.client.log_metric(drawn, "objective", 0.7)
    runs.client.set_tag(drawn, "stage", "search")
    runs.client.set_tag(retrained, "stage", "confirm")
    store = Store(runs.uri)
    launch = store.search()
    assert launch is not None
    assert launch.trials["name"].tolist() == ["000"]
    assert launch.trials["objective"].tolist() == [0.7]
    assert store.champion(launch) == {}
    assert store.notes == ["The search 'grid' has no champion yet."]


def test_an_unreachable_store_is_reported_without_its_password() -> None:
    with pytest.raises(StoreError, match=r"me:\*\*\*@127.0.0.1") as caught:
        Store("postgresql://me:secret@127.0.0.1:9/x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["while_training/", "epoch/"])  # the second: earlier versions
def test_curves_are_read_under_either_name(runs: Runs, prefix: str) -> None:
    run_id = runs.trial(runs.parent("launch"), "01")
    for epoch, loss in ((1, 0.75), (2, 0.5)):
        runs.client.log_metric(run_id, f"{prefix}train_loss", loss, step=epoch)
    store = Store(runs.uri)
    launch = store.latest("grid")
    assert launch is not None
    assert store.epochs(launch).to_dict("list") == {
        "run_id": [run_id, run_id], "epoch": [1, 2], "train_loss": [0.75, 0.5],
    }  # fmt: skip


def test_artifacts_that_were_moved_with_the_store_are_found(runs: Runs, tmp_path: Path) -> None:
    run = runs.trial(runs.parent("launch"), "01")
    (tmp_path / "note.txt").write_text("kept")
    for name in ("", "folder"):
        runs.client.log_artifact(run, str(tmp_path / "note.txt"), name)
    new = tmp_path / "moved ü"
    new.mkdir()
    for name in ("log.db", "artifacts"):
        (tmp_path / name).rename(new / name)
    moved = Store(f"sqlite:///{new / 'log.db'}")
    assert moved.save_artifacts(run, "note.txt", tmp_path / "a").read_text() == "kept"
    assert (moved.save_artifacts(run, "folder", tmp_path / "b") / "note.txt").is_file()
    with pytest.raises(StoreError, match=f"run {run} has no other"):
        moved.save_artifacts(run, "other", tmp_path / "c")


def test_an_experiment_in_the_trash_is_named_with_the_command_that_restores_it(
    runs: Runs,
) -> None:
    runs.client.delete_experiment(runs.experiment)
    store = Store(runs.uri)
    assert store.latest("grid") is None
    (note,) = store.notes
    assert note.startswith("The experiment 'grid' is in MLflow's trash; to restore it: MLFLOW_")
    assert note.endswith(f"--experiment-id {runs.experiment}.")
