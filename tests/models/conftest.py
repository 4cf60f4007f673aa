"""A launch with saved classifiers in an MLflow store, and the command that predicts."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models import predict
from models.encoder_files import read_encoder_info
from tests.empty_store import put_store
from tests.models.untrained import save
from tests.tuning.tracking.recording import deliver_all
from tuning.tracking.journal import Journal
from tuning.tracking.launch_log import LaunchLog

Run = Callable[..., tuple[int, str, str]]
F1 = "val_f1_at_threshold"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command; it returns exit code, output and errors."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, words)])
        code = predict.main()
        output, errors = capsys.readouterr()
        return code, " ".join(output.split()), errors

    return call


@pytest.fixture(scope="session")
def launch(distilbert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a launch with two trials, delivered to ``log.db`` beside it."""
    folder = tmp_path_factory.mktemp("launches") / "grid-1"
    uri = put_store(folder.with_name("log.db"))
    shutil.copytree(distilbert, folder / "encoder")
    (folder / "data").mkdir()
    log = LaunchLog(Journal(folder))
    log.open("grid", folder.with_name("artifacts"), uri, {})
    log.start_parent(
        "parent", {}, {"encoder_fingerprint": read_encoder_info(distilbert).fingerprint}
    )
    for file in sorted((folder / "encoder").iterdir()):
        log.keep(file, "encoder")
    trials = ("a", 0.6, 0.0), ("b", 0.7, 0.0), ("c", 0.9, 1.0)
    for seed, (name, score, collapsed) in enumerate(trials):
        saved = folder / name / "checkpoint_000000"
        scores = {F1: score, "collapsed": collapsed}
        save(saved / "model", distilbert, seed=seed, metrics=scores)
        log.start_trial(name, name, {"seed": 0})
        log.log_outcome(name, scores, saved)
        log.end_trial(name)
    deliver_all(log, uri)
    return folder
