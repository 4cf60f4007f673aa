"""Guards the steps of make results: each can run, is done by its record, and is resumed."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from benchmarks.records import UNFINISHED, write_record
from benchmarks.results import ENDED, STEPS, Step, main, next_words
from tests.tuning.tracking.recording import open_log
from tuning.config.loader import load_experiment
from tuning.parsers import add_search_options, build_parser
from tuning.system.project import ROOT

LAUNCHES = [step for step in STEPS if step.experiment is not None]
STEP = LAUNCHES[0]


@pytest.mark.parametrize("step", LAUNCHES, ids=lambda step: step.name)
def test_a_launch_is_of_the_experiment_that_is_exported(step: Step) -> None:
    script, *words = shlex.split(step.command)
    default = "bonus_f1.yaml" if "search" in script else "grid.yaml"
    parser = build_parser("x", default)
    args = (add_search_options(parser) if "search" in script else parser).parse_args(words)
    config = args.config if args.config.is_absolute() else ROOT / args.config
    assert config == ROOT / f"experiments/{step.config}.yaml"
    assert load_experiment(config, args.overrides).name == step.experiment


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_steps_command_exists_and_its_record_has_a_block(step: Step) -> None:
    from benchmarks.pages import BLOCKS

    script, *words = shlex.split(step.command)
    path = words[0].replace(".", "/") + ".py" if script == "-m" else script
    text = (ROOT / path).read_text(encoding="utf-8")
    options = [word for word in words if word.startswith("--")]
    assert step.experiment is not None or all(f'"{option}"' in text for option in options)
    assert any(step.name in (*block.records, *block.optional) for block in BLOCKS.values())


def test_a_step_is_done_by_a_record_of_its_inputs_alone(tmp_path: Path) -> None:
    assert STEP.state(tmp_path) == "not measured"
    write_record(STEP.name, {"numbers": {}, **STEP.inputs}, tmp_path)
    assert STEP.state(tmp_path) == "done"
    write_record(STEP.name, {"numbers": {}, **STEP.inputs, UNFINISHED: True}, tmp_path)
    assert STEP.state(tmp_path) == "begun"
    for name in STEP.inputs:
        write_record(STEP.name, {"numbers": {}, **STEP.inputs, name: "other"}, tmp_path)
        assert STEP.state(tmp_path) == "older"


def test_an_interrupted_launch_is_resumed_and_one_that_ended_is_exported(tmp_path: Path) -> None:
    data = tmp_path / "parade"
    assert STEP.experiment is not None
    words = next_words(LAUNCHES[1], data, tmp_path)
    assert words[:3] == ["tuning/run_grid.py", "--data", str(data)]
    assert "--resume" not in words
    folder = tmp_path / STEP.name
    open_log(folder / "launch", "sqlite:///log.db", STEP.experiment)
    assert next_words(STEP, data, tmp_path)[-1] == "--resume"
    (folder / ENDED).write_text(json.dumps(STEP.inputs), encoding="utf-8")
    assert next_words(STEP, data, tmp_path) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--data: name the folder with PARADE's three files"),
        (["--data", "embedded/pairs"], "is missing; PARADE has PARADE_train.txt"),
    ],
)
def test_other_data_than_parade_is_refused(
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["benchmarks/results.py", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_list_of_steps_has_its_columns_one_below_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["results.py", "--list"])
    assert main() == 0
    assert len({line.index(" min  ") for line in capsys.readouterr().out.splitlines()}) == 1
