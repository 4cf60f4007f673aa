"""Guards a trial's checkpoint: on disk before it is reported, restored, and ignored if damaged."""

from pathlib import Path
from typing import Any

import pytest
from ray import tune
from ray._private.dict import flatten_dict

from measures.objective import OBJECTIVE, SEED_MEAN
from tuning.execution.trial_checkpoint import REPORT, TrialCheckpoint, pack_report
from tuning.search.trial import SHARE
from tuning.system.checkpoint_file import load_epochs
from tuning.system.storage_path import StoragePath


class Counter:
    """An object with a state."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoragePath:
    """Return the path of a state file, of which each report to Ray finds the epoch on disk."""
    path = StoragePath(str(tmp_path)) / "01.state"

    def report(metrics: dict[str, Any]) -> None:
        assert [load_epochs(path)[-1]] == metrics[REPORT]

    monkeypatch.setattr(tune, "report", report)
    return path


def run_epochs(path: StoragePath) -> Counter:
    counter = Counter()
    checkpoint = TrialCheckpoint(path, {"counter": counter})
    for epoch in (1, 2):
        counter.count += 10
        checkpoint.report({"epoch": epoch, "seconds": 1.5})
    return counter


def test_a_trial_that_ran_before_is_restored(path: StoragePath) -> None:
    assert run_epochs(path).count == 20
    counter = Counter()
    checkpoint = TrialCheckpoint(path, {"counter": counter})
    assert (counter.count, checkpoint.seconds) == (20, 3.0)
    assert [epoch["epoch"] for epoch in checkpoint.epochs] == [1, 2]


def test_a_damaged_state_counts_as_none(path: StoragePath) -> None:
    run_epochs(path)
    path.write((path.read() or b"")[:-1] + b"?")
    counter = Counter()
    checkpoint = TrialCheckpoint(path, {"counter": counter})
    assert (counter.count, checkpoint.seconds, checkpoint.epochs) == (0, 0, [])


def test_ray_is_given_no_score_by_name_and_passes_on_the_whole_report() -> None:
    report = {"epoch": 2, "train_loss": 0.5, "val_f1": 0.7, "seconds": 3.0, OBJECTIVE: 0.8}
    packed = pack_report(report)
    assert packed == {"epoch": 2, OBJECTIVE: 0.8, REPORT: [report]}
    searched = pack_report({**report, SEED_MEAN: 0.6, SHARE: 0.25, "best": {"val_f1": 0.7}})
    assert {name: searched[name] for name in (SEED_MEAN, SHARE)} == {SEED_MEAN: 0.6, SHARE: 0.25}
    assert set(flatten_dict(searched)) == {"epoch", OBJECTIVE, SEED_MEAN, SHARE, REPORT}
