"""Guards the phases of a pretraining: points on the way, and a resumption that changes nothing."""

import io
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console

from models.masked_language_model import build_model
from tests.tuning.pretraining.test_trainer import SHAPE, V, make_text, phase_of
from tests.tuning.tracking.recording import open_log
from tuning.pretraining.phase_texts import PhaseText
from tuning.pretraining.phases import PhaseRunner
from tuning.system.atomic_files import DamagedError
from tuning.system.storage_path import StoragePath

STEPS = {"corpus": 40, "adaptation": 20}
Trained = tuple[PhaseRunner, Path, list[str]]


def make_runner(folder: Path, seed: int = 0) -> PhaseRunner:
    texts = {
        name: PhaseText(
            phase=phase_of(steps=steps, batch_size=4), training=make_text(), heldout=make_text(1)
        )
        for name, steps in STEPS.items()
    }
    state = StoragePath(str(folder / "state"))
    log = open_log(folder, "sqlite://", "x")
    return PhaseRunner(
        texts, build_model(V, SHAPE, seed=seed), precision="float32", state=state, log=log
    )


def run(runner: PhaseRunner) -> str:
    console = Console(file=io.StringIO(), width=200)
    runner.run(console)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return a training that came to its end, with its folder and the lines that it printed."""
    folder = tmp_path_factory.mktemp("trained")
    runner = make_runner(folder)
    return runner, folder, run(runner).splitlines()


def test_phases_are_trained_in_order_with_a_line_for_each_point(trained: Trained) -> None:
    runner, _, lines = trained
    assert [point["phase"] for point in runner.points] == ["corpus"] * 20 + ["adaptation"] * 20
    assert [point["step"] for point in runner.points[-2:]] == [59, 60]
    assert len(lines) == 40
    assert lines[0].startswith("corpus  step      2")


def test_a_finished_training_is_loaded_and_not_trained_further(
    trained: Trained, tmp_path: Path
) -> None:
    first, folder, _ = trained
    resumed = make_runner_again(shutil.copytree(folder, tmp_path / "run"))
    assert run(resumed) == ""
    assert resumed.points == first.points
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name])


def make_runner_again(folder: Path) -> PhaseRunner:
    """Return a runner with other weights that finds the state in ``folder``."""
    (folder / "journal.jsonl").unlink()  # a log of its own
    return make_runner(folder, seed=9)


def test_an_altered_state_is_refused(trained: Trained, tmp_path: Path) -> None:
    folder = shutil.copytree(trained[1], tmp_path / "run")
    state = folder / "state"
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 1
    state.write_bytes(content)
    with pytest.raises(DamagedError, match=r"state: was altered; --overwrite starts again"):
        make_runner_again(folder)
