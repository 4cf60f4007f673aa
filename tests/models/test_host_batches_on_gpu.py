"""Guards, on a GPU alone, that batches which are gathered on the host are those of the card."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.batches import RowReader
from tests.models.test_on_gpu import DEVICE, pytestmark
from tests.tuning.training.test_trainer import PAIRS, toy

__all__ = ["pytestmark"]  # pytest reads it: the tests are skipped without a GPU


@pytest.mark.parametrize("encoding", ["pair", "separate"])
def test_states_that_would_fill_the_card_give_the_same_batches(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = toy(0, "pair" if encoding == "pair" else "separate")
    features = np.arange(PAIRS, dtype=np.float32)[:, None]
    groups = [np.array([row, 2 * PAIRS - 1 - row, 3]) for row in range(PAIRS)]
    expected = [*RowReader(split.table, split.states, DEVICE, features).read_each(groups)]
    monkeypatch.setattr("models.batches.SHARE", 0.0)
    reader = RowReader(split.table, split.states, DEVICE, features)
    for one, other in zip(reader.read_each(groups), expected, strict=True):
        for name in ("rows", "inputs", "segments", "features"):
            assert getattr(one, name).device.type == "cuda"
            assert torch.equal(getattr(one, name), getattr(other, name))
        assert one.lengths.device.type == other.lengths.device.type == "cpu"
        assert torch.equal(one.lengths, other.lengths)
