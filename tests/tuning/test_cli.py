"""Guards the command line: options win over the file, and bad input ends with exit code 2."""

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import pytest

from tuning import run_grid
from tuning.cli import (
    launch_options,
    pretraining_options,
    read_experiment,
    require_grid,
    require_search,
)
from tuning.config.experiment import ConfigError
from tuning.config.loader import load_experiment
from tuning.parsers import build_parser, build_pretraining_parser, folder_or_uri
from tuning.system.project import ROOT
from tuning.tracking.launch_folder import LaunchError, run_name


def test_options_win_over_the_file() -> None:
    words = ["--data", "embedded", "--encoder", "embedded", "--no-cache-activations"]
    args = build_parser("x", "grid.yaml").parse_args([*words, "--set", "epochs=2"])
    experiment = read_experiment(args)
    assert (experiment.data, experiment.encoder) == ("embedded", "embedded")
    assert not experiment.cache_activations
    assert {trial.epochs for trial in experiment.trials()} == {2}


def test_the_default_store_is_in_the_projects_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    options = launch_options(build_parser("x", "grid.yaml").parse_args([]))
    assert options.tracking_uri == f"sqlite:///{ROOT / 'mlflow.db'}"
    assert options.artifacts == ROOT / "mlartifacts"


def test_artifacts_of_another_store_are_in_the_output_folder(tmp_path: Path) -> None:
    words = ["--output", str(tmp_path / "out"), "--tracking-uri", "http://127.0.0.1:5000"]
    options = launch_options(build_parser("x", "grid.yaml").parse_args(words))
    assert options.artifacts == tmp_path / "out" / "mlartifacts"
    assert options.study_storage == f"sqlite:///{tmp_path / 'out' / 'optuna.db'}"


def test_a_store_of_the_environment_is_taken_and_relative_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///log.db")
    args = build_parser("x", "grid.yaml").parse_args(["--output", "out"])
    pretraining = build_pretraining_parser().parse_args(["--output", "out/encoder"])
    for options in (launch_options(args), pretraining_options(pretraining)):
        assert options.tracking_uri == f"sqlite:///{tmp_path}/log.db"
        assert options.artifacts == tmp_path / "out/mlartifacts"


def test_a_tilde_is_the_home_folder_in_every_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["--output=~/out", "--local=~/local", "--tracking-uri=sqlite:///~/x.db", "~/a.yaml"]
    args = build_parser("x", "grid.yaml").parse_args(words)
    assert (args.output, args.local, args.config) == (
        tmp_path / "out",
        tmp_path / "local",
        tmp_path / "a.yaml",
    )
    assert args.tracking_uri == f"sqlite:///{tmp_path}/x.db"
    words = ["--output=~/out", "--corpus", "~/a.txt", "--heldout", "~/b.txt", "--config=~/c.yaml"]
    args = build_pretraining_parser().parse_args(words)
    found = [args.output, *args.corpus, *args.heldout, args.config]
    assert [path.parent for path in found] == 4 * [tmp_path]


def test_a_file_uri_for_results_is_decoded() -> None:
    assert folder_or_uri("file:///a%20b/50%25") == Path("/a b/50%")


def test_with_a_uri_for_results_the_drivers_files_are_in_the_local_folder(
    tmp_path: Path,
) -> None:
    words = ["--output", "s3://bucket/results/", "--local", str(tmp_path)]
    options = launch_options(build_parser("x", "grid.yaml").parse_args(words))
    assert (options.output, options.shared_output.uri) == (tmp_path, "s3://bucket/results")


def test_a_reference_that_would_show_a_password_is_refused(tmp_path: Path) -> None:
    parse, local = build_parser("x", "grid.yaml").parse_args, ["--local", str(tmp_path)]
    words = ["--output", "s3://me:secret@bucket/results", *local]
    assert not launch_options(parse(words)).by_reference
    with pytest.raises(LaunchError, match=r"--output: s3://me:.* no password in its") as caught:
        launch_options(parse([*words, "--by-reference"]))
    assert "secret" not in str(caught.value)


def test_a_run_is_named_after_its_experiment_and_time() -> None:
    assert run_name("grid")[:7] == "grid-20"


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tuning/run_grid.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture
def refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return a function that runs a grid here, sees exit code 2, and returns the error."""

    def _refuse(*words: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["run_grid.py", *words])
        try:
            code = run_grid.main()
        except SystemExit as ended:  # argparse's
            code = ended.code
        assert code == 2
        return capsys.readouterr().err

    return _refuse


def test_bad_input_ends_a_process_with_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    ended = run("--set", "trial.epochs=0", folder=tmp_path)
    assert ended.returncode == 2
    assert "trial.epochs: must be at least 1, got 0" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "trial.epochs=0"], "trial.epochs: must be at least 1, got 0"),
        (["--set", "epoch=3"], "epoch: unknown key; did you mean epochs?"),
        (["absent.yaml"], "absent.yaml:\n  - no such file; see the folder experiments"),
        (["--encoder", "minlm"], "encoder: minlm: no such folder; did you mean minilm?"),
        (["--data", "nowhere"], "data: nowhere: no such folder"),
        (["--data", ""], "data: must not be empty"),
        (["--output", ""], "argument --output: must not be empty"),
        (["--tracking-uri", ""], "argument --tracking-uri: must not be empty"),
        (["--launch", "none", "--data", "embedded"], "has no launch 'none'"),
        (["--data", "embedded", "--encoder", "./nowhere"], "encoder: ./nowhere: no such folder"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(
    tmp_path: Path, refuse: Callable[..., str], words: list[str], message: str
) -> None:
    encoder = [] if "--encoder" in words else ["--encoder", "embedded"]
    assert message in refuse(*words, *encoder)
    assert not list(tmp_path.iterdir())


def test_a_dry_run_prints_the_plan_and_writes_nothing_but_caches(tmp_path: Path) -> None:
    words = ["--data", "embedded", "--encoder", "embedded", "--dry-run"]
    ended = run(*words, "--output", str(tmp_path / "out"), folder=tmp_path)
    assert ended.returncode == 0
    assert "12  freezing some  optimizer sgd  learning_rate 0.1" in ended.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "search: is missing; run a grid with python tuning/run_grid.py"),
        ("search: {}\n", "space: is missing; it names the fields of a trial that vary"),
        ("grid: {epochs: [1, 2]}\n", "grid: a search draws its trials from space; remove grid"),
    ],
)
def test_an_experiment_that_is_no_search_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: mine\n{text}")
    with pytest.raises(ConfigError, match=message):
        require_search(load_experiment(path), path)


@pytest.mark.parametrize("text", ["search: {}\n", "space: {epochs: [1, 2]}\n"])
def test_an_experiment_that_is_no_grid_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: mine\n{text}")
    with pytest.raises(ConfigError, match=r"mine\.yaml:\n.*run it with python tuning/run_search"):
        require_grid(load_experiment(path), path)


@pytest.mark.parametrize("change", ["name.=abc", "=5", ".=1", "trial..epochs=2"])
def test_an_empty_key_is_refused(refuse: Callable[..., str], change: str) -> None:
    found = refuse("--set", change, "--dry-run")
    assert f"--set {change}: must not have an empty key" in found


def test_an_output_folder_that_links_to_itself_is_refused(
    tmp_path: Path, refuse: Callable[..., str]
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "--output" in refuse("--output", str(tmp_path / "loop"), "--dry-run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiments/grd.yaml"], "grd.yaml:\n  - no such file; did you mean .*grid.yaml?"),
        (["grid"], "grid:\n  - no such file; did you mean .*grid.yaml?"),
        (["zzz.yaml"], "zzz.yaml:\n  - no such file; see the folder experiments"),
        (["experiments"], "experiments:\n  - is a folder; give a YAML file"),
    ],
)
def test_a_file_that_is_not_there_is_named_with_those_near(
    monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(ROOT)
    args = build_parser("x", "grid.yaml").parse_args(words)
    with pytest.raises(ConfigError, match=message):
        read_experiment(args)
    words = ["--output", "out", "--config", *words]
    with pytest.raises(ConfigError, match=message):
        pretraining_options(build_pretraining_parser().parse_args(words))


@pytest.mark.parametrize(
    "words", [["--set", "epochs=[1,", "2]"], ["--set", "epochs=[1,", "2,", "3]"]]
)
def test_a_list_that_the_shell_has_cut_is_named(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        build_parser("x", "grid.yaml").parse_args(words)
    rule = "epochs=[1,: is not closed; in quotes the shell does not cut it: --set 'epochs=[1, 2]'"
    assert f"argument --set: {rule}" in capsys.readouterr().err


@pytest.mark.parametrize("build", [lambda: build_parser("x", "y"), build_pretraining_parser])
def test_an_option_is_written_out(
    build: Callable[[], ArgumentParser], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        build().parse_args(["--output", "x", "--verb"])
    assert "unrecognized arguments: --verb" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [True, False])
def test_a_failed_download_is_a_sentence_with_its_detail_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verbose: bool
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    words = ["--encoder", "somebody/small", *(["--verbose"] if verbose else [])]
    ended = run(*words, folder=tmp_path)
    assert ended.returncode == 2
    sentence, detail = ended.stderr.splitlines()
    assert sentence == (
        "run_grid.py: error: encoder: somebody/small is unavailable: the Hugging Face hub at "
        "127.0.0.1 refuses the connection (a firewall, or a server that is down?); with its files "
        "in a folder, give its path"
    )
    assert detail.startswith("Detail: somebody/small: " if verbose else "(--verbose says more)")


@pytest.mark.slow
def test_the_detail_of_a_notice_is_printed_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARADE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("PARADE_DIR", raising=False)
    words = ["--encoder", "embedded", "--dry-run", "--verbose"]
    lines = run(*words, folder=tmp_path).stdout.splitlines()
    assert lines[-1].startswith("Detail: http://127.0.0.1:1/PARADE_train.txt: after 0 bytes: ")
    assert lines[0].startswith("Notice: PARADE is unavailable: 127.0.0.1 refuses the connection")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--dryrun"], "unrecognized arguments: --dryrun; did you mean --dry-run?\n"),
        (
            ["--outputs=x", "y.yaml"],
            "unrecognized arguments: --outputs=x; did you mean --output?\n",
        ),
        (["--zzz"], "unrecognized arguments: --zzz\n"),
    ],
)
def test_an_option_that_does_not_exist_is_told_with_the_nearest(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        build_parser("Run.", "grid.yaml").parse_args(words)
    assert capsys.readouterr().err.endswith(told)
