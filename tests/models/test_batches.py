"""Guards batches: every row appears once, as it was stored, with little padding."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.batches import (
    RowReader,
    as_tensor,
    shuffled_batches,
    sorted_batches,
)
from models.segments import FIRST, PADDING, SECOND, SPECIAL
from models.tokens import TokenTable

TABLE = TokenTable(
    tokens=np.array([2, 7, 3, 8, 3, 2, 9, 3, 10, 11, 12, 3], dtype=np.int32),
    segments=np.array(
        [
            *(SPECIAL, FIRST, SPECIAL, SECOND, SPECIAL),
            *(SPECIAL, FIRST, SPECIAL, SECOND, SECOND, SECOND, SPECIAL),
        ],
        dtype=np.uint8,
    ),
    offsets=np.array([0, 5, 12]),
    pairs=2,
)
LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=200).map(np.array)


def test_a_batch_has_the_rows_as_they_were_stored() -> None:
    batch = RowReader(TABLE, None, torch.device("cpu")).read(np.array([1, 0]))
    assert batch.rows.tolist() == [1, 0]
    assert batch.inputs[0].tolist() == [2, 9, 3, 10, 11, 12, 3]
    assert batch.inputs[1, :5].tolist() == [2, 7, 3, 8, 3]
    assert batch.segments[1, 5:].tolist() == [PADDING, PADDING]


def test_a_batch_is_padded_to_a_multiple_but_not_beyond_the_longest_row() -> None:
    exact = RowReader(TABLE, None, torch.device("cpu"))
    padded = RowReader(TABLE, None, torch.device("cpu"), multiple=3)
    one, all_rows = np.array([0]), np.array([0, 1])
    assert [exact.read(rows).inputs.shape[1] for rows in (one, all_rows)] == [5, 7]
    assert [padded.read(rows).inputs.shape[1] for rows in (one, all_rows)] == [6, 7]
    assert padded.read(one).segments[0].tolist() == [*exact.read(one).segments[0], PADDING]
    assert padded.read(one).lengths.tolist() == [5]


@given(lengths=LENGTHS, multiple=st.integers(1, 9))
def test_a_padded_length_is_the_next_multiple_or_the_longest(
    lengths: np.ndarray, multiple: int
) -> None:
    tokens = np.zeros(lengths.sum(), dtype=np.int32)
    table = TokenTable(
        tokens=tokens,
        segments=tokens.astype(np.uint8),
        offsets=np.concatenate([[0], lengths.cumsum()]),
        pairs=len(lengths),
    )
    found = RowReader(table, None, torch.device("cpu"), multiple=multiple).padded(lengths[:1])
    assert lengths[0] <= found < lengths[0] + multiple
    assert found % multiple == 0 or found == lengths.max()


def test_stored_states_are_read_as_float32() -> None:
    states = np.arange(12 * 3, dtype=np.float16).reshape(12, 3)
    batch = RowReader(TABLE, states, torch.device("cpu")).read(np.array([1]))
    assert batch.inputs.dtype == torch.float32
    np.testing.assert_array_equal(batch.inputs[0].numpy(), states[5:])


def test_a_read_only_array_is_used_without_a_copy_and_without_a_warning() -> None:
    array = np.arange(5)
    array.flags.writeable = False
    assert as_tensor(array).data_ptr() == array.ctypes.data


@given(lengths=LENGTHS, tokens=st.integers(1, 400))
def test_sorted_batches_have_every_row_once_within_the_budget(
    lengths: np.ndarray, tokens: int
) -> None:
    batches = list(sorted_batches(lengths, tokens))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * lengths[b].max() <= tokens for b in batches)


@given(lengths=LENGTHS, size=st.integers(1, 40), seed=st.integers(0, 9))
def test_shuffled_batches_have_every_row_once_and_full_but_one(
    lengths: np.ndarray, size: int, seed: int
) -> None:
    rows = np.arange(len(lengths))
    batches = list(shuffled_batches(rows, lengths, size, np.random.default_rng(seed)))
    assert sorted(np.concatenate(batches)) == rows.tolist()
    assert sum(len(batch) < size for batch in batches) <= 1


def test_shuffled_batches_hold_rows_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, 2000)
    batches = shuffled_batches(np.arange(2000), lengths, 20, np.random.default_rng(1))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded < 1.1 * lengths.sum()


def test_another_draw_gives_another_order() -> None:
    generator = np.random.default_rng(0)
    rows, lengths = np.arange(50), np.full(50, 7)
    first, second = (
        np.concatenate(list(shuffled_batches(rows, lengths, 8, generator))) for _ in range(2)
    )
    assert first.tolist() != second.tolist()


def test_batches_that_are_read_together_are_those_that_are_read_alone() -> None:
    overlap = np.array([[1.0, 2.0], [3.0, 4.0]])
    reader = RowReader(TABLE, None, torch.device("cpu"), overlap)
    groups = [np.array([1]), np.array([0, 1]), np.array([0])]
    for rows, batch in zip(groups, reader.read_each(groups), strict=True):
        alone = reader.read(rows)
        for name in ("rows", "inputs", "segments", "lengths", "features"):
            assert torch.equal(getattr(batch, name), getattr(alone, name))
        assert batch.lengths.tolist() == (batch.segments != PADDING).sum(dim=1).tolist()
