"""Guards the command as a user runs it: table, log, saved models, and their scores again."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from tests.end_to_end.running import Ran, command, reproduce, run_smoke
from tuning.options import ROOT

pytestmark = pytest.mark.slow


def test_the_table_and_the_next_command_are_printed(smoke: Ran) -> None:
    lines = smoke.ended.stdout.split("\n")
    assert sum(bool(re.match(r" *(all|some) +0\.\d+ +\.\d{3}", line)) for line in lines) == 4
    assert any(line.startswith("  python tuning/reproduce.py ") for line in lines)
    assert smoke.ended.stderr == ""


def test_every_trial_has_a_finished_run_with_its_configuration_and_scores(smoke: Ran) -> None:
    runs = smoke.trials()
    assert len(runs) == 4
    for run in runs:
        assert run.info.status == "FINISHED"
        assert {"freezing", "learning_rate", "optimizer", "seed", "head"} <= set(run.data.params)
        assert {"test_f1", "test_auc", "val_mcc_at_threshold", "epoch/train_loss"} <= set(
            run.data.metrics
        )


def test_the_parent_run_says_what_is_needed_to_repeat_it(smoke: Ran) -> None:
    client = MlflowClient(tracking_uri=smoke.store)
    parent = client.get_run(smoke.trials()[0].data.tags["mlflow.parentRunId"])
    assert parent.data.tags["encoder"] == "embedded"
    assert parent.data.params["trials"] == "4"
    assert {"git_commit", "data_fingerprint", "encoder_fingerprint", "torch_version"} <= set(
        parent.data.tags
    )


def test_test_scores_are_not_among_what_ray_was_told(smoke: Ran) -> None:
    (state,) = (smoke.folder / "out").glob("smoke-*/experiment_state-*.json")
    assert "best_val_f1_at_threshold" in state.read_text()
    assert "test_f1" not in state.read_text()


def test_all_runs_reproduce_their_scores(smoke: Ran) -> None:
    ended = reproduce(smoke, "--all", "smoke")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 of 4 runs reproduce their scores" in ended.stdout


def test_a_trials_folder_reproduces_elsewhere(smoke: Ran, tmp_path: Path) -> None:
    (source,) = (smoke.folder / "out").glob("smoke-*")
    shutil.copytree(source, tmp_path / "moved")
    ended = reproduce(smoke, str(next((tmp_path / "moved").glob("04-*"))))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_score_that_differs_is_marked_and_ends_with_1(smoke: Ran, tmp_path: Path) -> None:
    (source,) = (smoke.folder / "out").glob("smoke-*")
    shutil.copytree(source, tmp_path / "moved")
    folder = next((tmp_path / "moved").glob("01-*"))
    (path,) = folder.rglob("classifier.json")
    card = json.loads(path.read_bytes())
    card["metrics"]["test_auc"] += 0.001
    path.write_text(json.dumps(card))
    ended = reproduce(smoke, str(folder))
    assert ended.returncode == 1
    (line,) = (line for line in ended.stdout.split("\n") if "test_auc " in line)
    assert "differs" in line


def test_the_same_experiment_gives_the_same_numbers_cached_again_and_uncached(
    smoke: Ran, tmp_path: Path
) -> None:
    again = run_smoke(tmp_path, "--set", "freezing=all", "--output", str(smoke.folder / "out"))
    plain = run_smoke(tmp_path, "--set", "freezing=all", "--no-cache-activations", "--set",
                      "name=plain")  # fmt: skip
    assert (again.ended.returncode, plain.ended.returncode) == (0, 0), plain.ended.stderr
    frozen = [run for run in smoke.trials() if run.data.params["freezing"] == "all"]
    first = {run.data.params["learning_rate"]: run.data.metrics for run in frozen}
    for run in again.trials():
        logged = first[run.data.params["learning_rate"]]
        same = {name for name in logged if "seconds" not in name}
        assert {name: run.data.metrics[name] for name in same} == {n: logged[n] for n in same}
    for run in plain.trials("plain"):
        logged = first[run.data.params["learning_rate"]]
        assert run.data.metrics["val_loss"] == pytest.approx(logged["val_loss"], abs=5e-3)


def wait_for(found: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not found() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert found()


def trials_of(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that are training."""
    children = psutil.Process(driver.pid).children(recursive=True)
    return [child for child in children if child.name().startswith("ray::ImplicitFu")]


def stop(driver: subprocess.Popen[str]) -> None:
    """End the driver, if it has not ended, with all it started."""
    if driver.poll() is None:
        for process in [*psutil.Process(driver.pid).children(recursive=True), driver]:
            process.kill()
        driver.communicate()


def test_a_killed_trial_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'log.db'}"
    smoke = str(ROOT / "experiments/smoke.yaml")
    words = [smoke, "--output", str(tmp_path), "--tracking-uri", store, "--set", "epochs=12"]
    driver = subprocess.Popen(
        command("run_grid.py", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    try:
        wait_for(lambda: len(trials_of(driver)) == 2, 120)
        trials_of(driver)[0].kill()
        output, errors = driver.communicate(timeout=120)
    finally:
        stop(driver)
    ran = Ran(folder=tmp_path, store=store, ended=subprocess.CompletedProcess([], 0))
    assert driver.returncode == 1
    assert re.search(r"failed: 0[12]-", output), output + errors
    assert sorted(run.info.status for run in ran.trials()) == ["FAILED", "FINISHED"]
