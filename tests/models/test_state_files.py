"""Guards states in files: processes read what was written, and reading ahead changes no bit."""

import mmap
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from models import batches
from models.batches import RowReader, made_ahead
from models.state_files import MappedStates, OpenStates, create, read, seal
from models.tokens import Encoding
from tests.tuning.training.test_trainer import PAIRS, toy

CPU = torch.device("cpu")
TOKENS = {"train": 5, "validation": 3, "test": 2}
WIDTH = 4


def written(folder: Path, tokens: dict[str, int] = TOKENS) -> dict[str, MappedStates]:
    """Return states in a file, which are numbered through."""
    path, first = folder / "states.safetensors", 0
    for array in create(path, tokens, WIDTH, np.dtype(np.float32)).values():
        array[:] = np.arange(first, first + array.size).reshape(array.shape)
        first += array.size
    seal(path)
    return read(path)[0]


def test_what_is_pickled_is_where_the_states_are(tmp_path: Path) -> None:
    states = written(tmp_path, {"train": 9000})["train"]
    content = pickle.dumps(states)
    assert len(content) < 1000 < states.nbytes == 9000 * WIDTH * 4
    again = np.asarray(pickle.loads(content))  # noqa: S301 - our own
    assert again.tolist() == np.arange(9000 * WIDTH).reshape(-1, WIDTH).tolist()
    assert not again.flags.writeable


def test_splits_that_follow_each_other_are_one_without_a_copy(tmp_path: Path) -> None:
    states = written(tmp_path)
    both = states["train"].followed_by(states["validation"])
    assert both is not None
    assert np.asarray(both).ravel().tolist() == list(range(8 * WIDTH))
    assert states["train"].followed_by(states["test"]) is None


def test_a_tensor_that_holds_no_states_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(
        (60).to_bytes(8, "little")
        + b'{"train":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}  '
        + bytes(4)
    )
    with pytest.raises(ValueError, match=r"train: holds no states, but I32 \[1\]"):
        read(tmp_path / "x")


@pytest.mark.parametrize("encoding", ["pair", "separate"])
def test_batches_from_a_file_are_those_from_memory_bit_by_bit(
    tmp_path: Path, encoding: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = toy(0, encoding)
    assert isinstance(split.states, np.ndarray)
    path, kind = tmp_path / "x", split.states.dtype
    create(path, {"train": len(split.states)}, split.states.shape[1], kind)["train"][:] = (
        split.states
    )
    mapped = read(path)[0]["train"]
    groups = [np.array([row, 2 * PAIRS - 1 - row, 3]) for row in range(PAIRS)]
    expected = list(RowReader(split.table, split.states, CPU).read_each(groups))
    for share in (0.5, 0.0):  # what fits memory, and what does not
        monkeypatch.setattr("models.state_files.SHARE", share)
        reader = RowReader(split.table, mapped, CPU)
        for one, other in zip(reader.read_each(groups), expected, strict=True):
            assert torch.equal(one.inputs, other.inputs)
            assert torch.equal(one.segments, other.segments)


def test_only_the_pages_of_the_asked_sequences_are_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    class Map(mmap.mmap):
        def madvise(self, advice: int, start: int = 0, length: int = 0) -> None:
            asked.extend([(start, start + length)] if advice == mmap.MADV_WILLNEED else [])
            super().madvise(advice, start, length or len(self))

    states = written(tmp_path, {"train": 9000})["train"]
    monkeypatch.setattr("models.state_files.mmap.mmap", Map)
    OpenStates(states, ahead=False).ask(np.array([[0, 9]]))
    assert not asked
    OpenStates(states, ahead=True).ask(np.array([[8000, 8010], [3, 5]]))
    token = 4 * WIDTH
    for (start, end), (first, last) in zip(asked, [(8000, 8010), (3, 5)], strict=True):
        begin = states.start + first * token
        assert start % mmap.PAGESIZE == 0 <= begin - start < mmap.PAGESIZE
        assert end == states.start + last * token


def test_a_thread_makes_batches_in_their_order() -> None:
    split = toy(0)
    groups = [np.array([row]) for row in range(PAIRS)]
    reader = RowReader(split.table, split.states, CPU)
    found = [int(batch.rows) for batch in made_ahead(reader.read_each(groups))]
    assert found == list(range(PAIRS))


def test_rows_are_asked_for_once_each_and_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = toy(0)
    assert isinstance(split.states, np.ndarray)
    path = tmp_path / "x"
    create(path, {"train": len(split.states)}, split.states.shape[1], split.states.dtype)
    monkeypatch.setattr("models.state_files.SHARE", 0.0)
    monkeypatch.setattr(batches, "_AHEAD", 3)
    asked: list[int] = []
    monkeypatch.setattr(OpenStates, "ask", lambda _, bounds: asked.extend(bounds[:, 0].tolist()))
    groups = [np.array([row]) for row in range(10)]
    starts = split.table.offsets[:10].tolist()
    reader = RowReader(split.table, read(path)[0]["train"], CPU)
    for number, _ in enumerate(reader.read_each(groups)):
        assert asked == starts[: number + 4]
