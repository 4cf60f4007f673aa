"""Guards the writer of states: each row's states stand at its tokens, threads or not."""

import numpy as np
import pytest
import torch

from models.batches import sorted_batches
from models.state_writer import StateWriter
from tests.tuning.training.test_activation_cache import table

CPU = torch.device("cpu")
TABLE = table(3, 50)
WIDTH = 3


def batch_of(rows: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """Return states that count a row's tokens from 100 times its number, and -1 after them."""
    lengths = TABLE.lengths[rows]
    states = torch.full((len(rows), int(lengths.max()), WIDTH), -1.0)
    for position, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        states[position, :length] = 30.0 * row + torch.arange(length)[:, None]
    return states.to(dtype)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_every_state_stands_where_its_token_does(dtype: torch.dtype, *, beside: bool) -> None:
    with StateWriter(TABLE, CPU, beside=beside) as writer:
        for rows in sorted_batches(TABLE.lengths, 40):  # more batches than buffers
            writer.write(rows, batch_of(rows, dtype))
    expected = [30.0 * row + np.arange(n) for row, n in enumerate(TABLE.lengths)]
    assert writer.states is not None
    assert writer.states.dtype == torch.empty(0, dtype=dtype).numpy().dtype
    np.testing.assert_array_equal(writer.states, np.concatenate(expected)[:, None] * [[1] * WIDTH])


def test_a_batch_may_be_changed_once_it_was_written_at_once() -> None:
    rows = np.arange(50)
    states = batch_of(rows, torch.float32)
    with StateWriter(TABLE, CPU) as writer:
        writer.write(rows, states)
        states.zero_()
    assert writer.states is not None
    assert writer.states[-1].tolist() == [30.0 * 49 + TABLE.lengths[-1] - 1] * WIDTH


def write_too_short(*, then_fail: bool) -> None:
    with StateWriter(TABLE, CPU, beside=True) as writer:
        writer.write(np.arange(50), torch.zeros(50, 5, WIDTH))  # rows have up to 13 tokens
        if then_fail:
            raise RuntimeError("an error of the pass")


def test_an_error_of_a_thread_is_raised() -> None:
    with pytest.raises(ValueError, match=r"from shape \(5,3\)"):
        write_too_short(then_fail=False)


def test_an_error_of_the_pass_is_not_hidden_by_one_of_a_thread() -> None:
    with pytest.raises(RuntimeError, match="of the pass"):
        write_too_short(then_fail=True)
