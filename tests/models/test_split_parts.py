"""Guards parts of a split: they read as the pairs that they are of, and copy no state."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.batches import RowReader, SplitArrays
from models.split_parts import in_memory, join, part_of, place_splits
from models.state_files import MappedStates, create, read
from models.tokens import Encoding
from tests.tuning.training.test_trainer import PAIRS, toy

CPU = torch.device("cpu")
ENTITIES = np.arange(2 * PAIRS) // 3
CHOSEN = np.array([70, 3, 119, 64, 5])  # of the joined pairs


def joined(encoding: Encoding) -> tuple[SplitArrays, list[SplitArrays]]:
    """Return two joined splits, the one and the other."""
    splits = [toy(seed, encoding) for seed in (0, 1)]
    return join(splits[0], splits[1], ENTITIES), splits


def test_states_that_follow_each_other_in_a_file_are_joined_there(tmp_path: Path) -> None:
    whole, splits = joined("pair")
    tokens = {name: len(split.table.tokens) for name, split in zip("ab", splits, strict=True)}
    arrays = create(tmp_path / "x", tokens, 12, np.dtype(np.float32))
    for array, split in zip(arrays.values(), splits, strict=True):
        array[:] = split.states
    mapped = read(tmp_path / "x")[0]
    one, other = (replace(split, states=mapped[n]) for n, split in zip("ab", splits, strict=True))
    both, copied = join(one, other, ENTITIES).states, join(other, one, ENTITIES).states
    assert isinstance(both, MappedStates)
    assert isinstance(copied, np.ndarray)
    np.testing.assert_array_equal(both, whole.states)
    np.testing.assert_array_equal(copied[: tokens["b"]], splits[1].states)


def test_other_machines_get_the_states_themselves(tmp_path: Path) -> None:
    create(tmp_path / "x", {"train": 3}, 2, np.dtype(np.float32))["train"][:] = 7
    found = in_memory(replace(toy(0), states=read(tmp_path / "x")[0]["train"])).states
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[7.0, 7.0]] * 3
    untouched = toy(1)
    assert in_memory(untouched) is untouched


@pytest.mark.parametrize("encoding", ["pair", "separate"])
@pytest.mark.parametrize("cached", [True, False])
def test_a_part_of_joined_splits_reads_as_the_pairs_did_in_both_orders(
    encoding: Encoding, cached: bool
) -> None:
    whole, splits = joined(encoding)
    part = part_of(whole, CHOSEN)
    reader = RowReader(part.table, part.states if cached else None, CPU)
    assert (reader.pairs, part.table.rows) == (5, 10)
    for row in range(10):
        split, pair = splits[CHOSEN[row % 5] // PAIRS], CHOSEN[row % 5] % PAIRS
        there = pair + PAIRS * (row // 5)
        own = RowReader(split.table, split.states if cached else None, CPU)
        found, expected = reader.read(np.array([row])), own.read(np.array([there]))
        torch.testing.assert_close(found.inputs, expected.inputs, rtol=0, atol=0)
        torch.testing.assert_close(found.segments, expected.segments, rtol=0, atol=0)
        assert reader.lengths[row] == own.lengths[there]
        assert [each.tolist() for each in part.table.row(row)] == [
            each.tolist() for each in split.table.row(there)
        ]


def test_a_part_has_the_labels_votes_entities_and_features_of_its_pairs() -> None:
    first, second = (
        replace(toy(seed), overlap=np.random.default_rng(seed).normal(size=(PAIRS, 4)))
        for seed in (0, 1)
    )
    part = part_of(join(first, second, ENTITIES), CHOSEN)
    assert first.overlap is not None
    assert second.overlap is not None
    assert part.overlap is not None
    assert part.cosine is None
    for name in ("labels", "votes", "overlap"):
        values = np.concatenate([getattr(first, name), getattr(second, name)])
        np.testing.assert_array_equal(getattr(part, name), values[CHOSEN])
    np.testing.assert_array_equal(part.entities, ENTITIES[CHOSEN])


@pytest.mark.parametrize("encoding", ["pair", "separate"])
def test_parts_share_their_states_and_are_sent_to_workers_with_them_once(
    encoding: Encoding,
) -> None:
    whole, _ = joined(encoding)
    parts = [whole, part_of(whole, CHOSEN), part_of(whole, CHOSEN[:2])]
    assert all(part.states is whole.states for part in parts)
    assert all(part.table.tokens is whole.table.tokens for part in parts)
    buffers: list[pickle.PickleBuffer] = []
    pickle.dumps(parts, protocol=5, buffer_callback=buffers.append)
    size = whole.states.nbytes  # pyright: ignore[reportOptionalMemberAccess]
    assert [buffer.raw().nbytes for buffer in buffers].count(size) == 1


def test_splits_that_share_states_share_their_copy_on_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "x", {"test": 3}, 2, np.dtype(np.float32))
    whole, (first, _) = joined("pair")
    splits = {
        "train": part_of(whole, CHOSEN),
        "validation": part_of(whole, CHOSEN[:2]),
        "other": first,
        "mapped": replace(first, states=read(tmp_path / "x")[0]["test"]),
        "tokens": replace(first, states=None),
    }
    assert place_splits(splits, CPU) == splits  # nothing is copied, and what is mapped stays so
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (2**30, 2**30))
    meta = torch.device("meta")  # stands for a GPU: it has shapes and no memory
    states = {name: split.states for name, split in place_splits(splits, meta).items()}
    assert states["train"] is states["validation"] is not states["other"]
    assert states.pop("tokens") is None
    for name, found in states.items():
        assert isinstance(found, torch.Tensor)
        assert found.device == meta
        assert found.shape == np.asarray(splits[name].states).shape
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (0, 2**30))
    assert place_splits(splits, meta) == splits  # no room: batches are made on the host
