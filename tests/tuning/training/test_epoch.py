"""Guards an epoch's batches, targets and mean loss, however seldom the losses are looked at."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.batches import shuffled_batches
from models.classifier import Classifier
from models.heads import HEADS
from tests.tuning.training.test_trainer import CPU, PAIRS, build, config, toy
from tuning.training import epoch
from tuning.training.epoch import EpochLoss, batch_loss, draw_rows, epoch_batches
from tuning.training.inputs import LoadedSplit
from tuning.training.trainer import Trainer

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


def plain_epoch(training: Trainer) -> float:
    """Train an epoch step by step, each loss read at once; return the mean loss."""
    train, trial, total = training.train, training.config, 0.0
    weights = [w for group in training.optimizer.param_groups for w in group["params"]]
    rows, lengths = draw_rows(train, training.generator), train.reader.lengths
    training.model.train()
    for chosen in shuffled_batches(rows, lengths, trial.batch_size, training.generator):
        batch, targets = train.reader.read(chosen), train.targets_of(chosen)
        loss = batch_loss(training.model, batch, targets, trial.r_drop)
        total += loss.item() * len(chosen)
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, trial.clip_norm)
        training.optimizer.step()
        training.schedule.step()
    return total / train.pairs


@pytest.mark.parametrize("head", sorted(HEADS))
@pytest.mark.parametrize("between", [1, 32])
def test_an_epoch_is_a_plain_loop_to_the_last_bit(
    distilbert: Path, monkeypatch: pytest.MonkeyPatch, head: str, between: int
) -> None:
    monkeypatch.setitem(epoch._STEPS_BETWEEN_LOOKS, "cpu", between)
    trial = config(head=head, dropout=0.3, r_drop=0.2, order_seed=3)
    found = []
    for train_epoch in (Trainer.train_epoch, plain_epoch):
        first, second = (LoadedSplit(toy(seed), trial, CPU) for seed in (0, 1))
        training = Trainer(build(trial, distilbert), first, second, trial)
        losses = [train_epoch(training) for _ in range(2)]
        found.append((losses, training.model.trained_state()))
    (losses, weights), (expected, others) = found
    assert losses == [(loss, False) for loss in expected]
    assert all(torch.equal(weight, others[name]) for name, weight in weights.items())


def short_of_memory(model: Classifier, rows: int) -> None:
    """Let the model fail as on a GPU whose memory has room for so many rows of a batch."""

    def refuse(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        if model.training and len(inputs[0]) > rows:
            raise torch.OutOfMemoryError("out of memory")

    model.register_forward_pre_hook(refuse)


@pytest.mark.parametrize("changes", [{}, {"class_weight": "balanced"}, {"r_drop": 1.0}])
def test_batches_in_parts_train_as_whole_ones(distilbert: Path, changes: dict[str, Any]) -> None:
    trial = config(optimizer="sgd", **changes)
    results = []
    for rows in (7, 3):
        model = build(trial, distilbert)
        model.head.dropout = torch.nn.Identity()  # parts draw other numbers
        short_of_memory(model, rows)
        train, validation = (LoadedSplit(toy(seed), trial, CPU) for seed in (0, 1))
        trainer = Trainer(model, train, validation, trial)
        results.append([trainer.run_epoch().train_loss for _ in range(2)])
        assert trainer.parts == {7: 1, 3: 4}[rows]
        assert trainer.schedule.last_epoch == 2 * math.ceil(PAIRS / 7)
    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_a_memory_too_small_for_a_pair_ends_the_training(distilbert: Path) -> None:
    trial = config(optimizer="sgd")
    model = build(trial, distilbert)
    short_of_memory(model, 0)
    split = LoadedSplit(toy(0), trial, CPU)
    with pytest.raises(torch.OutOfMemoryError):
        Trainer(model, split, split, trial).run_epoch()
