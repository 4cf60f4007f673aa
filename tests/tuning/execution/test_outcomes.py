"""Guards the outcomes of trials: their ranking, and which of them a resumed launch runs again."""

import io
import json
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from rich.console import Console

from analysis.error_tables import best_trials
from measures.objective import FLAGS
from models.number_formats import FLOAT32, Precision
from models.precision import describe_device
from tests.tuning.tracking.recording import open_log
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.execution.outcomes import (
    Outcome,
    best_of_modes,
    clear,
    finished_trials,
    model_folder,
    rank,
)
from tuning.execution.trial import RESULT
from tuning.system.atomic_files import write_checksums
from tuning.system.storage_path import StoragePath
from tuning.tracking.delivery import Delivery
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.record import Launch

CONFIG = TrialConfig.model_validate({})


def outcome(name: str, f1: float | None = None, **fields: Any) -> Outcome:  # noqa: ANN401
    metrics = {} if f1 is None else {"val_f1_at_threshold": f1}
    metrics |= {flag: 1.0 for flag in ("collapsed", "diverged") if fields.pop(flag, False)}
    return Outcome(name=name, config=CONFIG, metrics=metrics, **fields)


def test_the_best_comes_first_and_flagged_and_failed_trials_come_last() -> None:
    outcomes = [
        outcome("failed", cause="out of memory"),
        outcome("collapsed", 0.9, collapsed=True),
        outcome("low", 0.5),
        outcome("high", 0.7),
    ]
    ranked = [each.name for each in rank(outcomes)]
    assert ranked == ["high", "low", "collapsed", "failed"]


def test_a_grid_explains_the_trials_that_the_report_shows_in_the_same_order() -> None:
    modes = ["none", 2, "all", "some", 0] * 8
    scores = [0.7 + number % 3 / 100 for number in range(40)]  # several of a mode are equal
    trials = pd.DataFrame({"name": range(40), "freezing": modes, "val_f1_at_threshold": scores})
    outcomes = [outcome(str(number), score) for number, score in enumerate(scores)]
    for each, mode in zip(outcomes, modes, strict=True):
        each.config = CONFIG.model_copy(update={"freezing": mode})
    explained = best_of_modes(rank(outcomes))
    shown = best_trials(trials.assign(**dict.fromkeys(FLAGS, 0)))
    assert [str(each.config.freezing) for each in explained] == list(shown)
    assert [each.name for each in explained] == [str(row["name"]) for row in shown.values()]


def test_only_a_folder_with_a_saved_classifier_is_a_model_folder(tmp_path: Path) -> None:
    assert model_folder(outcome("01")) is None
    assert model_folder(outcome("01", folder=tmp_path)) is None
    (tmp_path / "model").mkdir()
    (tmp_path / "model/classifier.json").write_text("{}")
    assert model_folder(outcome("01", folder=tmp_path)) == tmp_path / "model"


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    uri = "sqlite:////none.db"
    settings = LaunchSettings(
        run_name="a",
        output=tmp_path,
        shared_output=StoragePath(str(tmp_path)),
        tracking_uri=uri,
        artifacts=tmp_path / "artifacts",
        cache=tmp_path,
    )
    log = open_log(settings.folder, uri, "x")
    return Launch(
        prepared=cast(Prepared, None),
        settings=settings,
        log=log,
        precision=Precision(FLOAT32, FLOAT32),
        device=describe_device(),
        console=Console(file=io.StringIO(), width=200),
        delivery=Delivery(log.journal, uri),
    )


def save(launch: Launch, name: str) -> Path:
    """Start a trial and save a result as a worker does; the log does not have it yet."""
    launch.log.start_trial(f"grid/{name}", name, CONFIG.model_dump())
    folder = launch.settings.folder / name / "checkpoint_000000"
    folder.mkdir(parents=True)
    (folder / RESULT).write_text(json.dumps({"val_f1_at_threshold": 0.5}))
    write_checksums(folder)
    return folder


def test_a_saved_trial_is_finished_and_the_log_gets_what_it_lacks(launch: Launch) -> None:
    folder = save(launch, "01")
    (found,) = finished_trials(launch, "grid", ["01", "02"]).values()
    assert (found.name, found.config, found.folder) == ("01", CONFIG, folder)
    run = launch.log.runs["grid/01"]
    assert (run.status, run.metrics) == ("FINISHED", {"val_f1_at_threshold": 0.5})


def test_a_failed_trial_is_not_run_again(launch: Launch) -> None:
    launch.log.start_trial("grid/01", "01", CONFIG.model_dump())
    launch.log.end_trial("grid/01", cause="a trace\nout of memory")
    assert finished_trials(launch, "grid", ["01"])["01"].cause == "out of memory"


def test_a_trial_with_damaged_files_is_reported_and_runs_again(launch: Launch) -> None:
    folder = save(launch, "01")
    (folder / RESULT).write_text("{}")
    assert finished_trials(launch, "grid", ["01"]) == {}
    assert isinstance(launch.console.file, io.StringIO)
    notice = launch.console.file.getvalue().strip()
    assert notice == (
        f"Notice: {folder / RESULT}: is missing or was altered; the trial runs again"
    )
    clear(launch.settings.folder, ["01"])
    assert not folder.exists()


def test_a_trial_that_was_cut_off_runs_again(launch: Launch) -> None:
    (save(launch, "01") / "sha256.json").unlink()
    assert finished_trials(launch, "grid", ["01"]) == {}
