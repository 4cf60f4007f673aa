"""Guards the command line: flags win over the file, and bad input ends with exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from tuning.cli import build_parser, launch_options, read_experiment
from tuning.system.project import ROOT
from tuning.tracking.launch_folder import run_name


def test_flags_win_over_the_file() -> None:
    words = ["--data", "embedded", "--encoder", "embedded", "--no-cache-activations"]
    args = build_parser("x", "grid.yaml").parse_args([*words, "--set", "epochs=2"])
    experiment = read_experiment(args)
    assert (experiment.data, experiment.encoder) == ("embedded", "embedded")
    assert not experiment.cache_activations
    assert {trial.epochs for trial in experiment.trials()} == {2}


def test_the_default_store_lies_at_the_projects_root() -> None:
    options = launch_options(build_parser("x", "grid.yaml").parse_args([]))
    assert options.tracking_uri == f"sqlite:///{ROOT / 'mlflow.db'}"
    assert options.own_store
    assert options.artifacts == ROOT / "mlartifacts"


def test_artifacts_of_another_store_lie_in_the_output_folder(tmp_path: Path) -> None:
    words = ["--output", str(tmp_path / "out"), "--tracking-uri", "http://127.0.0.1:5000"]
    options = launch_options(build_parser("x", "grid.yaml").parse_args(words))
    assert not options.own_store
    assert options.artifacts == tmp_path / "out" / "mlartifacts"
    assert options.study_storage == f"sqlite:///{tmp_path / 'out' / 'optuna.db'}"


def test_a_uri_for_results_leaves_the_drivers_own_files_in_the_local_folder(
    tmp_path: Path,
) -> None:
    words = ["--output", "s3://bucket/results/", "--local", str(tmp_path)]
    options = launch_options(build_parser("x", "grid.yaml").parse_args(words))
    assert (options.output, options.shared_output.uri) == (tmp_path, "s3://bucket/results")


def test_a_run_is_named_after_its_experiment_and_time() -> None:
    assert run_name("grid")[:7] == "grid-20"


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tuning/run_grid.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "trial.epochs=0"], "trial.epochs: must be at least 1, got 0"),
        (["--set", "epoch=3"], "epoch: unknown key; did you mean epochs?"),
        (["absent.yaml"], "No such file or directory: 'absent.yaml'"),
        (["--data", "nowhere"], "data: nowhere: no such folder"),
        (["--data", "embedded", "--encoder", "./nowhere"], "encoder: ./nowhere: no such folder"),
    ],
)
def test_bad_input_ends_with_a_sentence_and_exit_code_2(
    tmp_path: Path, words: list[str], message: str
) -> None:
    ended = (
        run(*words, "--encoder", "embedded", folder=tmp_path)
        if "--encoder" not in words
        else (run(*words, folder=tmp_path))
    )
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    words = ["--data", "embedded", "--encoder", "embedded", "--dry-run"]
    ended = run(*words, "--output", str(tmp_path / "out"), folder=tmp_path)
    assert ended.returncode == 0
    assert "12  freezing some  optimizer sgd  learning_rate 0.1" in ended.stdout
    assert not list(tmp_path.iterdir())
