"""Guards models in MLflow: each is found by run or folder, with the encoder of its launch."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from measures.addresses import AddressError
from models.logged_models import fetch_model
from tests.empty_store import put_store
from tests.models.conftest import Run
from tests.tuning.tracking.recording import CHAMPIONS, deliver_all, open_log


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what MLflow keeps for the process: its stores, and the environment variables."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.setenv(name, "")
    yield
    mlflow.set_registry_uri("")
    mlflow.set_tracking_uri("")


def test_a_store_that_is_absent_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match=r"none\.db: no such MLflow store; "):
        fetch_model(None, f"sqlite:///{tmp_path / 'none.db'}", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_champion_that_was_moved_with_its_store_is_found(tmp_path: Path) -> None:
    old, new, copies = (tmp_path / name for name in ("old", "new", "copies"))
    uri = put_store(old / "log.db")
    log = open_log(old / "a", uri, "x")
    (old / "a/champion/served").mkdir(parents=True)
    (old / "a/champion/served/card.json").write_text("{}")
    log.log_champion(CHAMPIONS, {"test_f1": 0.7}, old / "a/champion")
    run_id = deliver_all(log, uri).run_id("champion")
    assert (fetch_model(None, uri, copies)[1] / "card.json").is_file()
    old.rename(new)
    for name in (None, "models:/x@champion", "models:/x/1", f"runs:/{run_id}/served"):
        full, found = fetch_model(name, f"sqlite:///{new / 'log.db'}", copies)
        assert full in ("models:/x/1", f"runs:/{run_id}/served")
        assert found.is_relative_to(new)
        assert (found / "card.json").is_file()


def store(launch: Path) -> str:
    """Return the URI of the store that a launch was delivered to."""
    return f"sqlite:///{launch.with_name('log.db')}"


def trial_run(launch: Path, name: str) -> str:
    """Return MLflow's id of a trial's run."""
    client = MlflowClient(tracking_uri=store(launch))
    experiments = [each.experiment_id for each in client.search_experiments()]
    (found,) = client.search_runs(experiments, f"tags.trial = '{name}'")
    return found.info.run_id


def test_a_run_of_mlflow_answers_with_the_encoder_of_its_launch(launch: Path, run: Run) -> None:
    run_id = trial_run(launch, "a")
    _, expected, _ = run("w1", "w2", "--model", launch / "a")
    for name in (run_id, f"runs:/{run_id}/model"):
        code, output, errors = run("w1", "w2", "--model", name, "--tracking-uri", store(launch))
        assert (code, errors) == (0, "")
        assert output.startswith(f"Model: runs:/{run_id}/model, encoder tiny")
        assert output.partition("They")[2] == expected.partition("They")[2]


def test_a_downloaded_folder_finds_its_encoder_in_the_store(
    launch: Path, run: Run, tmp_path: Path
) -> None:
    downloaded = shutil.copytree(launch / "a/checkpoint_000000/model", tmp_path / "model")
    code, output, errors = run("w1", "w2", "--model", downloaded, "--tracking-uri", store(launch))
    assert (code, errors) == (0, "")
    assert output.startswith(f"Model: {downloaded}, encoder tiny")


def test_a_downloaded_folder_without_its_launch_is_told_the_command(
    launch: Path, run: Run, tmp_path: Path
) -> None:
    downloaded = shutil.copytree(launch / "a/checkpoint_000000/model", tmp_path / "my model")
    empty, absent = put_store(tmp_path / "empty.db"), f"sqlite:///{tmp_path / 'absent.db'}"
    for uri, reason in ((empty, "no launch in it has that one"), (absent, "no such MLflow store")):
        code, _, errors = run("w1", "w2", "--model", downloaded, "--tracking-uri", uri)
        assert code == 2
        assert "its encoder is in no folder 'encoder' near it; " in errors
        assert reason in errors
        command = f"python -m models.predict --model '{downloaded}' --tracking-uri URI"
        assert errors.endswith(f"name the store of its launch: {command}\n")


def test_a_model_is_found_where_store_and_artifacts_were_moved_to(
    launch: Path, run: Run, tmp_path: Path
) -> None:
    run_id = trial_run(launch, "a")
    moved = tmp_path / "log.db"
    shutil.copyfile(launch.with_name("log.db"), moved)
    artifacts = launch.with_name("artifacts").rename(tmp_path / "artifacts")
    try:
        for model in (run_id, launch / "a/checkpoint_000000/model"):
            downloaded = shutil.copytree(model, tmp_path / "m") if model != run_id else run_id
            uri = f"sqlite:///{moved}"
            code, output, errors = run("w1", "w2", "--model", downloaded, "--tracking-uri", uri)
            assert (code, errors) == (0, "")
            assert "encoder tiny" in output
    finally:
        artifacts.rename(launch.with_name("artifacts"))


def test_a_run_without_a_model_is_refused(launch: Path, run: Run) -> None:
    parent = trial_run(launch, "parent")
    code, _, errors = run("w1", "w2", "--model", parent, "--tracking-uri", store(launch))
    assert code == 2
    assert f"the run {parent} has no saved model; trials of a grid" in errors
