"""Guards, on a GPU alone, what the host keeps: batches, lengths, and nothing that it waits for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.batches import RowReader
from models.heads import HEADS, build_head
from models.number_formats import FLOAT32, Precision
from tests.models.test_on_gpu import DEVICE, LAYERS, arrays, embedded, pytestmark
from tests.tuning.training.test_trainer import PAIRS, toy
from tuning.execution.trial import WorkerInputs
from tuning.training.inputs import LoadedSplit, build_inputs

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


@pytest.mark.parametrize("head", sorted(HEADS))
def test_a_step_of_a_head_does_not_wait_for_the_card(head: str) -> None:
    table, width = arrays().table, 12
    states = np.random.default_rng(0).random((len(table.tokens), width), dtype=np.float32)
    batch = RowReader(table, states, DEVICE).read(np.arange(20))
    model = build_head(head, width=width, head_width=6).to(DEVICE)
    for mode in ("default", "error"):  # first with what a library does once
        torch.cuda.set_sync_debug_mode(mode)
        try:
            model(batch.inputs, batch.segments, batch.lengths).sum().backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_process_copies_the_states_of_a_variant_to_the_card_once(tmp_path: Path) -> None:
    trial = embedded().trials[0].model_copy(update={"freezing": LAYERS})
    inputs = build_inputs(embedded(), trial, Precision(FLOAT32, FLOAT32), tmp_path)
    kept = WorkerInputs(lambda _: inputs)
    used = []
    for reference in ("one", "one", "other", "one"):
        split = LoadedSplit(kept.get(reference, DEVICE).splits["train"], trial, DEVICE)
        used.append((torch.cuda.memory_allocated(), split.reader._flat.data_ptr()))
        del split
    assert used[0] == used[1]
    assert max(taken for taken, _ in used) <= 1.01 * used[0][0]  # never both variants
