"""Guards the command as a user runs it: table, log, saved models, and their scores again."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.empty_store import put_store
from tests.end_to_end.running import (
    FEWER,
    Call,
    Ran,
    few_pairs,
    one_core,
    quick,
    run_small,
    run_smoke,
    started,
    wait_for,
    words_to_reproduce,
    words_to_run,
)
from tuning import reproduce, run_grid
from tuning.tracking.mlflow_reader import fetch_run

pytestmark = pytest.mark.slow


def test_the_table_and_the_next_command_are_printed(smoke: Ran) -> None:
    lines = smoke.ended.stdout.split("\n")
    assert sum(bool(re.match(r" *(all|some) +0\.\d+ +\.\d{3}", line)) for line in lines) == 4
    assert any(re.match(r"  python .*tuning/reproduce\.py", line) for line in lines)
    assert smoke.ended.stderr == ""


def test_every_trial_has_a_finished_run_with_its_configuration_and_scores(smoke: Ran) -> None:
    runs = smoke.trials()
    assert len(runs) == 4
    for run in runs:
        assert run.info.status == "FINISHED"
        assert {"freezing", "learning_rate", "optimizer", "seed", "head"} <= set(run.data.params)
        assert {"test_f1", "test_auc", "val_mcc_at_threshold", "while_training/train_loss"} <= set(
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


def test_words_of_the_surest_errors_are_measured_for_the_best_trial_of_each_mode(
    smoke: Ran,
) -> None:
    (path,) = (smoke.folder / "out").glob("smoke-*/occlusion.json")
    found = json.loads(path.read_bytes())["trials"]
    runs = {run.data.tags["trial"]: run for run in smoke.trials()}
    assert {runs[name].data.params["freezing"] for name in found} == {"all", "some"}
    for name, examples in found.items():
        (told,) = path.parent.glob(f"{name}/checkpoint_*/predictions.csv")
        rows = [line.split(",") for line in told.read_text().splitlines()]
        likely = {int(row[1]): float(row[-1]) for row in rows if row[0] == "test"}
        labels = {int(row[1]): row[-2] == "1" for row in rows if row[0] == "test"}
        threshold = runs[name].data.metrics["threshold"]
        maps = json.loads(told.with_name("attention.json").read_bytes())
        for line in (each["line"] for each in examples + maps):
            assert (likely[line] >= threshold) != labels[line]
        for example in examples:
            p = likely[example["line"]]
            assert abs(example["log_odds"] - math.log(p / (1 - p))) < 0.02  # bfloat16
            assert any(change for _, change in example["first"] + example["second"])
    client = MlflowClient(tracking_uri=smoke.store)
    parent = smoke.trials()[0].data.tags["mlflow.parentRunId"]
    (logged,) = client.list_artifacts(parent, "explanations")
    assert logged.path == "explanations/occlusion.json"


def test_test_scores_are_not_among_what_ray_was_told(smoke: Ran) -> None:
    (state,) = (smoke.folder / "out").glob("smoke-*/experiment_state-*.json")
    assert "best_val_f1_at_threshold" in state.read_text()
    assert "test_f1" not in state.read_text()


def test_all_runs_reproduce_their_scores(smoke: Ran, call: Call) -> None:
    ended = call(reproduce.main, words_to_reproduce(smoke, "--all", "smoke"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 of 4 runs reproduce their scores" in ended.stdout


def test_a_trials_folder_reproduces_elsewhere(smoke: Ran, call: Call, tmp_path: Path) -> None:
    (source,) = (smoke.folder / "out").glob("smoke-*")
    shutil.copytree(source, tmp_path / "moved")
    folder = next((tmp_path / "moved").glob("04-*"))
    ended = call(reproduce.main, words_to_reproduce(smoke, str(folder)))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_score_that_differs_is_marked_and_ends_with_1(
    smoke: Ran, call: Call, tmp_path: Path
) -> None:
    (source,) = (smoke.folder / "out").glob("smoke-*")
    shutil.copytree(source, tmp_path / "moved")
    folder = next((tmp_path / "moved").glob("01-*"))
    (path,) = folder.rglob("classifier.json")
    card = json.loads(path.read_bytes())
    card["metrics"]["test_auc"] += 0.001
    path.write_text(json.dumps(card))
    ended = call(reproduce.main, words_to_reproduce(smoke, str(folder)))
    assert ended.returncode == 1
    (line,) = (line for line in ended.stdout.split("\n") if "test_auc " in line)
    assert "differs" in line


def changed(*changes: str) -> list[str]:
    """Return the words for changes of the experiment."""
    return [word for change in changes for word in ("--set", change)]


@pytest.fixture(scope="module")
def cached_and_plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Ran]:
    """Return a launch with cached states, and one without that logs by reference."""
    folder = tmp_path_factory.mktemp("twice")
    put_store(folder / "log.db")
    words = changed("epochs=2", "batch_size=16", "learning_rate=0.001")
    words += ["--data", str(few_pairs(folder, FEWER)), "--set", "occlusion=false"]
    with one_core():
        cached = run_smoke(folder, *words)
        other = [*changed("name=plain"), "--no-cache-activations", "--by-reference"]
        plain = run_smoke(folder, *words, *other)
    for ran in (cached, plain):
        assert ran.ended.returncode == 0, ran.ended.stderr
    return cached, plain


def test_cached_and_uncached_launches_come_to_the_same(cached_and_plain: tuple[Ran, Ran]) -> None:
    cached, plain = cached_and_plain
    (one,), (other,) = cached.trials(), plain.trials("plain")
    assert other.data.metrics["val_loss"] == pytest.approx(one.data.metrics["val_loss"], abs=5e-3)


def test_what_a_trial_saved_is_found_where_its_run_refers_to(
    cached_and_plain: tuple[Ran, Ran], tmp_path: Path
) -> None:
    _, plain = cached_and_plain
    (run,) = plain.trials("plain")
    assert MlflowClient(plain.store).list_artifacts(run.info.run_id) == []
    (saved,) = plain.folder.glob("out/plain-*/*/checkpoint_*")
    assert run.data.tags["saved_at"] == str(saved)
    model, _, _ = fetch_run(plain.store, run.info.run_id, tmp_path)
    for name in ("model/classifier.safetensors", "predictions.csv"):
        assert (model.parent / name).read_bytes() == (saved / name).read_bytes()


@pytest.mark.usefixtures("in_turn")
def test_a_trial_that_fails_is_named_with_its_log_and_the_others_go_on(tmp_path: Path) -> None:
    words = changed("epochs=1", "learning_rate=0.01", "head_width=[8, 2000000000000]")
    ran = run_small(tmp_path, *words)
    assert ran.ended.returncode == 1, ran.ended.stderr
    assert ran.ended.stdout.count("02-2000000000000: is tried again") == 2
    last = ran.ended.stdout.strip().split("\n")[-1]
    found = re.fullmatch(r"failed: 1 of 2 trials: 02-2000000000000 \((/.*/error\.txt)\)", last)
    assert found, last
    assert "memory" in Path(found[1]).read_text()
    assert [run.info.status for run in ran.trials()] == ["FINISHED", "FAILED"]
    assert "memory" in ran.trials()[1].data.tags["cause"]


@pytest.mark.usefixtures("in_turn")
def test_an_interrupted_launch_is_neither_begun_anew_nor_gone_on_with_as_another(
    tmp_path: Path, call: Call
) -> None:
    words = words_to_run(tmp_path, *quick(tmp_path), "--set", "epochs=300")
    with started(words) as driver:
        wait_for(lambda: bool(list(tmp_path.glob("out/smoke-*/states/*.state"))), driver)
    refused = call(run_grid.main, words)
    assert refused.returncode == 2
    assert re.search(r"interrupted .*--resume continues it, --overwrite", refused.stderr)
    other = run_small(tmp_path, "--set", "epochs=300", "--set", "dropout=0.3", "--resume").ended
    assert other.returncode == 2
    assert "experiment.trial.dropout was 0.2, is now 0.3" in other.stderr
