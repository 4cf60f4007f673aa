"""Guards checkpoint files: read back as they were written, or refused."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuning.config.experiment import TrialConfig
from tuning.execution.trial_checkpoint import state_file
from tuning.execution.trial_spec import TrialSpec
from tuning.system.atomic_files import DamagedError
from tuning.system.checkpoint_file import load_epochs, load_state, save_state
from tuning.system.storage_path import StoragePath

EPOCHS = [{"epoch": 1, "val_f1": 0.5}, {"epoch": 2, "val_f1": 0.25}]
CONFIG = TrialConfig.model_validate({"seed": 1, "learning_rate": 0.1})
SPEC = TrialSpec(trial=CONFIG, tags={"stage": "search"})


def saved(folder: Path) -> StoragePath:
    path = state_file(StoragePath(str(folder)), SPEC)
    save_state(path, {"training": {"weights": torch.arange(5.0), "epoch": 2}}, EPOCHS)
    return path


def test_a_state_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    found = load_state(saved(tmp_path))
    assert found is not None
    state, epochs = found
    assert torch.equal(state["training"]["weights"], torch.arange(5.0))
    assert (state["training"]["epoch"], epochs) == (2, EPOCHS)
    assert load_epochs(state_file(StoragePath(str(tmp_path)), SPEC)) == EPOCHS


def test_without_a_file_there_is_no_state(tmp_path: Path) -> None:
    absent = StoragePath(str(tmp_path)) / "x"
    assert load_state(absent) is None
    assert load_epochs(absent) == []


@given(fraction=st.floats(0, 1), bit=st.integers(0, 7))
def test_one_damaged_bit_is_noticed(fraction: float, bit: int) -> None:
    with TemporaryDirectory() as folder:
        path = saved(Path(folder))
        content = bytearray(path.read() or b"")
        content[int(fraction * (len(content) - 1))] ^= 1 << bit
        path.write(bytes(content))
        for load in (load_state, load_epochs):
            with pytest.raises(DamagedError, match=f"{path}: was altered"):
                load(path)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = StoragePath(folder) / "x"
        path.write(content)
        with pytest.raises(DamagedError, match="was altered"):
            load_state(path)


class Harmful:
    """An object whose pickle runs code when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("loaded",))


def test_a_pickle_that_runs_code_is_not_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = StoragePath(str(tmp_path / "x"))
    save_state(path, {"training": Harmful()}, EPOCHS)
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        load_state(path)
    assert capsys.readouterr().out == ""
