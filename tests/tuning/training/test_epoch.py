"""Guards an epoch's batches, targets and mean loss, however seldom the losses are looked at."""

import math

import numpy as np
import pytest
import torch

from tests.tuning.training.test_trainer import CPU, PAIRS, config, toy
from tuning.training import epoch
from tuning.training.epoch import EpochLoss, epoch_batches
from tuning.training.inputs import LoadedSplit

LOSSES = [0.1, 0.7, 1 / 3, 0.9, 0.2]
SIZES = [7, 7, 7, 7, 3]


def test_an_epoch_has_every_pair_once_with_its_targets() -> None:
    arrays = toy(0)
    train = LoadedSplit(arrays, config(targets="votes"), CPU)
    seen = []
    for batch, targets in epoch_batches(train, 7, np.random.default_rng(4)):
        pairs = batch.rows.numpy() % PAIRS
        np.testing.assert_allclose(targets[:, 1], arrays.votes[pairs])
        np.testing.assert_array_equal(batch.inputs, train.reader.read(batch.rows.numpy()).inputs)
        seen += pairs.tolist()
    assert sorted(seen) == list(range(PAIRS))


def add_all(losses: EpochLoss, values: list[float]) -> list[bool]:
    pairs = zip(values, SIZES, strict=True)
    return [losses.add(torch.tensor(value), size) for value, size in pairs]


@pytest.mark.parametrize("between", [1, 2, 3, 32])
def test_the_mean_loss_does_not_depend_on_how_often_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, between: int
) -> None:
    monkeypatch.setitem(epoch._STEPS_BETWEEN_LOOKS, "cpu", between)
    losses = EpochLoss(CPU)
    assert all(add_all(losses, LOSSES))
    total = 0.0
    for value, size in zip(LOSSES, SIZES, strict=True):
        total += float(np.float32(value)) * size
    assert losses.result() == (total / sum(SIZES), False)  # to the last bit


@pytest.mark.parametrize("between", [1, 2, 3, 32])
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_losses_after_one_that_is_not_finite_do_not_count(
    monkeypatch: pytest.MonkeyPatch, between: int, broken: float
) -> None:
    monkeypatch.setitem(epoch._STEPS_BETWEEN_LOOKS, "cpu", between)
    losses = EpochLoss(CPU)
    kept = add_all(losses, [0.5, 0.25, broken, 0.3, 0.4])
    assert kept == [n + 1 < max(3, between * math.ceil(3 / between)) for n in range(5)]
    assert losses.result() == (0.375, True)


def test_an_epoch_whose_first_loss_is_not_finite_has_a_mean_of_zero() -> None:
    losses = EpochLoss(CPU)
    assert not losses.add(torch.tensor(math.nan), 7)
    assert losses.result() == (0.0, True)
