"""Guards the command as a user runs it: table, log, saved models, and their scores again."""

import json
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from tests.end_to_end.running import (
    HANG,
    Ran,
    command,
    few_pairs,
    reproduce,
    run_smoke,
    started,
    wait_for,
)
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
    tmp_path: Path,
) -> None:
    few = ["--data", str(few_pairs(tmp_path)), "--set", "epochs=3", "--set", "batch_size=16"]
    first = run_smoke(tmp_path, *few)
    again = run_smoke(tmp_path, *few, "--set", "name=again")
    plain = run_smoke(tmp_path, *few, "--set", "name=plain", "--no-cache-activations", "--set",
                      "learning_rate=[0.001]")  # fmt: skip
    for ran in (first, again, plain):
        assert ran.ended.returncode == 0, ran.ended.stderr
    frozen = {run.data.params["learning_rate"]: run.data.metrics for run in first.trials()}
    assert (len(frozen), len(again.trials("again")), len(plain.trials("plain"))) == (2, 2, 1)
    for run in again.trials("again"):
        logged = frozen[run.data.params["learning_rate"]]
        same = {name for name in logged if "seconds" not in name}
        assert {name: run.data.metrics[name] for name in same} == {n: logged[n] for n in same}
    for run in plain.trials("plain"):
        logged = frozen[run.data.params["learning_rate"]]
        assert run.data.metrics["val_loss"] == pytest.approx(logged["val_loss"], abs=5e-3)


def trials_of(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that are training."""
    found = []
    for child in psutil.Process(driver.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # some start others and end
            if child.name().startswith("ray::ImplicitFu"):
                found.append(child)
    return found


def test_a_killed_trial_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'log.db'}"
    words = [str(ROOT / "experiments/smoke.yaml"), "--data", str(few_pairs(tmp_path)), "--set",
             "epochs=16", "--output", str(tmp_path), "--tracking-uri", store]  # fmt: skip
    with started(command("run_grid.py", *words)) as driver:
        wait_for(lambda: len(trials_of(driver)) == 2, driver)
        trials_of(driver)[0].kill()
        output, errors = driver.communicate(timeout=HANG)
    ran = Ran(folder=tmp_path, store=store, ended=subprocess.CompletedProcess([], 0))
    assert driver.returncode == 1
    assert re.search(r"failed: 0[12]-", output), output + errors
    assert sorted(run.info.status for run in ran.trials()) == ["FAILED", "FINISHED"]
