"""Guards a search as a user runs it: champion, agreement of all records, what is refused."""

import json
import subprocess
from pathlib import Path

import optuna
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from tests.end_to_end.running import (
    Call,
    Ran,
    command,
    few_pairs,
    words_to_reproduce,
)
from tests.end_to_end.searching import SMOKE, runs_of, study_of, tune_results, words_for
from tuning import reproduce, run_search

pytestmark = pytest.mark.slow
TRIALS = 4


def test_study_tune_and_log_agree_trial_by_trial(searched: Ran) -> None:
    told = {t.number: t.value for t in study_of(searched.folder).trials}
    logged = {
        int(run.data.tags["optuna_trial"]): run
        for run in runs_of(searched.store, "tags.stage = 'search'")
    }
    assert set(told) == set(logged) == set(range(TRIALS))
    for number, run in logged.items():
        assert run.info.status == "FINISHED"
        assert run.data.metrics["objective"] == told[number]
    assert [run.data.tags["origin"] for _, run in sorted(logged.items())] == [
        "given", "start-up", "start-up", "TPE"
    ]  # fmt: skip
    kept = tune_results(searched.folder)
    assert {n: told[n] for n in kept} == kept
    early = {n for n, run in logged.items() if "stopped" in run.data.tags}
    assert set(kept) | early == set(told)


def test_parameters_in_study_and_log_are_the_same(searched: Ran) -> None:
    runs = runs_of(searched.store, "tags.stage = 'search'")
    params = {int(run.data.tags["optuna_trial"]): run.data.params for run in runs}
    for trial in study_of(searched.folder).trials:
        assert ("momentum" in trial.params) == (trial.params["optimizer"] == "sgd")
        for name, value in trial.params.items():
            assert params[trial.number][name] == str(value)


def test_test_scores_exist_for_the_champion_alone(searched: Ran) -> None:
    with_test = runs_of(searched.store, "metrics.test_f1 >= 0")
    assert [run.data.tags["kind"] for run in with_test] == ["champion"]
    for state in searched.folder.rglob("experiment_state-*.json"):
        assert "test_f1" not in state.read_text()
    for path in searched.folder.glob("out/smoke_search-*/confirm/*/checkpoint_*/predictions.csv"):
        assert set(pd.read_csv(path)["split"]) == {"validation"}


def test_the_champion_is_registered_and_its_scores_are_those_printed(searched: Ran) -> None:
    (run,) = runs_of(searched.store, "tags.kind = 'champion'")
    client = MlflowClient(tracking_uri=searched.store)
    version = client.get_model_version_by_alias("smoke_search", "champion")
    assert version.run_id == run.info.run_id
    (parent,) = runs_of(searched.store, "tags.kind = 'experiment'")
    score = parent.data.metrics["champion/test_f1_at_threshold"]
    assert score == run.data.metrics["test_f1_at_threshold"]
    assert f"{score:.3f}".replace("0.", ".", 1) in searched.ended.stdout
    assert json.loads(parent.data.tags["champion"])["head"] == run.data.params["head"]


def test_every_lever_that_applies_has_a_row_with_and_without(searched: Ran) -> None:
    (path,) = searched.folder.glob("out/smoke_search-*/champion/ablations.csv")
    rows = pd.read_csv(path)
    assert rows["lever"].tolist() == [
        "cosine of the texts", "both orders of a pair", "overlap features", "R-Drop",
        "upper layers trained",
    ]  # fmt: skip  # no votes in the embedded pairs, and one upper layer has no decay
    assert (rows["gain"] - (rows["with"] - rows["without"])).abs().max() < 1e-12
    assert (rows["seeds"] == 2).all()
    assert set(rows["verdict"]) <= {"helps", "hurts", "cannot be told"}


def test_the_finalist_of_the_race_is_the_champion(searched: Ran) -> None:
    (path,) = searched.folder.glob("out/smoke_search-*/champion/rounds.csv")
    rounds = pd.read_csv(path)
    assert rounds["round"].tolist() == ["race", "race", "confirm", "confirm"]
    assert not set(rounds["seed"][:2]) & set(rounds["seed"][2:])
    (finalist,) = rounds[rounds["round"].eq("race") & rounds["chosen"]]["configuration"]
    assert set(rounds["configuration"][2:]) == {finalist}
    for stage in ("race", "confirm"):
        assert len(runs_of(searched.store, f"tags.stage = '{stage}'")) == 2


def test_the_saved_champion_reproduces_its_scores(searched: Ran, call: Call) -> None:
    (folder,) = searched.folder.glob("out/smoke_search-*/champion")
    ended = call(reproduce.main, words_to_reproduce(searched, str(folder)))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 of 2 runs reproduce their scores" in ended.stdout


def test_another_space_in_the_same_study_is_refused_and_nothing_is_lost(
    searched: Ran, call: Call
) -> None:
    words = words_for(searched.folder, "--set", "dropout=0.4", "--set", "epochs=2")
    ended = call(run_search.main, words)
    assert ended.returncode == 2
    assert "'smoke_search' holds trials of another search: fixed.dropout was 0.2, is now 0.4" in (
        ended.stderr
    )
    assert "--set search.study=NAME" in ended.stderr
    assert len(study_of(searched.folder).trials) == TRIALS


@pytest.mark.usefixtures("in_turn")
def test_a_search_is_extended_from_the_finished_ones_trials(searched: Ran, tmp_path: Path) -> None:
    places = ["--tracking-uri", searched.store, "--output", str(tmp_path)]
    data = str(few_pairs(searched.folder))
    (tmp_path / "activations").symlink_to(searched.folder / "out/activations")
    changes = [
        "name=more",
        "precision=float32",
        "batch_size=16",
        "search.warm_start=smoke_search",
        "search.num_samples=1",
        "search.confirm=1",
        "epochs=2",
    ]
    words = [word for value in changes for word in ("--set", value)]
    ended = subprocess.run(
        command("run_search.py", SMOKE, *places, "--data", data, *words),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"Warm start: {TRIALS} of {TRIALS} trials of 'smoke_search'" in ended.stdout
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    study = optuna.load_study(study_name="more", storage=storage)
    assert len(study.trials) == TRIALS + 1
    known = sorted(str(trial.value) for trial in study.trials[:TRIALS])
    assert known == sorted(str(trial.value) for trial in study_of(searched.folder).trials)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--storage", "postgresql://me:secret@127.0.0.1:9/x"], "storage: postgresql://me:***@"),
        (["--join"], "--join: no search draws from the study 'smoke_search'"),
        (["--resume"], "out has no interrupted launch of 'smoke_search'"),
    ],
)
def test_what_cannot_run_is_told_before_anything_runs(
    words: list[str], message: str, call: Call, tmp_path: Path
) -> None:
    ended = call(run_search.main, words_for(tmp_path, *words))
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stdout + ended.stderr
    assert not list(tmp_path.glob("out/smoke_search-*"))
