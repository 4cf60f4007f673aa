"""Guards seeds that are trained together: they equal seeds that are trained one by one."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from models.batches import SplitArrays
from models.classifier import Classifier
from models.encoder import load_encoder
from models.heads import HEADS, FeatureBranch, build_head
from tests.tuning.training.test_trainer import CPU, PAIRS, config, numbers, toy
from tuning.config.experiment import TrialConfig
from tuning.training.evaluation import predict
from tuning.training.inputs import LoadedSplit
from tuning.training.seeds import SequentialTrainer, can_stack, fit_seeds, train_seeds
from tuning.training.stacked import StackedTrainer
from tuning.training.trainer import EpochResult, fit

SEEDS = (5, 6, 8)
STACKED = sorted(set(HEADS) - {"bilstm_attention"})


def build(trial: TrialConfig, seed: int, folder: Path, depth: int = 3) -> Classifier:
    torch.manual_seed(seed)
    _, upper = load_encoder(folder, depth)
    head = build_head(trial.head, width=12, head_width=trial.head_width, dropout=trial.dropout)
    branch = None
    if trial.overlap_features:
        branch = FeatureBranch(torch.zeros(4), torch.ones(4), trial.head_width, 2, trial.dropout)
    return Classifier(None, upper, head, branch=branch)


def with_overlap(arrays: SplitArrays) -> SplitArrays:
    overlap = np.random.default_rng(3).normal(size=(PAIRS, 4)) + arrays.labels[:, None]
    return SplitArrays(
        table=arrays.table,
        states=arrays.states,
        labels=arrays.labels,
        votes=arrays.votes,
        entities=arrays.entities,
        overlap=overlap,
    )


def loaded(trial: TrialConfig) -> tuple[LoadedSplit, LoadedSplit]:
    train, validation = (LoadedSplit(with_overlap(toy(seed)), trial, CPU) for seed in (0, 1))
    return train, validation


def together(
    trial: TrialConfig, folder: Path, depth: int = 3
) -> tuple[list[Classifier], list[list[EpochResult]]]:
    models = [build(trial, seed, folder, depth) for seed in SEEDS]
    trainings = fit_seeds(models, *loaded(trial), trial, stacked=True)
    return models, [list(results) for results in trainings]


def alone(trial: TrialConfig, seed: int, folder: Path) -> tuple[Classifier, list[EpochResult]]:
    model = build(trial, seed, folder)
    return model, list(fit(model, *loaded(trial), trial))


@pytest.mark.parametrize("head", STACKED)
@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 0.3},
        {"dropout": 0.3, "r_drop": 0.7, "overlap_features": True},
        {
            "optimizer": "sgd",
            "weight_decay": 0.1,
            "clip_norm": 0.05,
            "targets": "votes",
            "class_weight": "balanced",
        },
    ],
    ids=["dropout", "r_drop-overlap", "sgd-clipped"],
)
def test_stacked_seeds_equal_seeds_trained_one_by_one(
    distilbert: Path, head: str, changes: dict[str, object]
) -> None:
    trial = config(head=head, order_seed=11, **changes)
    models, epochs = together(trial, distilbert)
    assert can_stack(models)
    _, validation = loaded(trial)
    for position, seed in enumerate(SEEDS):
        model, expected = alone(trial, seed, distilbert)
        found = [results[position] for results in epochs]
        for one, other in zip(numbers(found), numbers(expected), strict=True):
            assert one[:2] == pytest.approx(other[:2], abs=1e-4)  # losses
        stacked, single = predict(models[position], validation), predict(model, validation)
        np.testing.assert_allclose(stacked, single, atol=1e-3)


def test_on_a_cpu_seeds_take_turns_unless_stacking_is_asked_for(distilbert: Path) -> None:
    trial = config(order_seed=11, dropout=0.3)
    models = [build(trial, seed, distilbert) for seed in SEEDS]
    assert can_stack(models)
    epochs = list(fit_seeds(models, *loaded(trial), trial))
    for position, seed in enumerate(SEEDS):
        _, expected = alone(trial, seed, distilbert)
        assert numbers([results[position] for results in epochs]) == numbers(expected)


def test_seeds_differ_from_each_other(distilbert: Path) -> None:
    _, epochs = together(config(order_seed=11), distilbert)
    assert len({result.train_loss for result in epochs[-1]}) == len(SEEDS)


@pytest.mark.parametrize(("head", "depth"), [("bilstm_attention", 3), ("cross_attention", 2)])
def test_what_cannot_be_stacked_takes_turns_with_the_same_numbers(
    distilbert: Path, head: str, depth: int
) -> None:
    trial = config(head=head, order_seed=4, dropout=0.2)
    models, epochs = together(trial, distilbert, depth)
    assert not can_stack(models)
    for position, seed in enumerate(SEEDS):
        model = build(trial, seed, distilbert, depth)
        expected = list(fit(model, *loaded(trial), trial))
        assert numbers([results[position] for results in epochs]) == numbers(expected)


def test_a_single_seed_is_not_stacked(distilbert: Path) -> None:
    trial = config(order_seed=4, dropout=0.2)
    models = [build(trial, seed, distilbert) for seed in SEEDS]
    kinds = [
        type(train_seeds(models[:count], *loaded(trial), trial, stacked=True)) for count in (1, 2)
    ]
    assert kinds == [SequentialTrainer, StackedTrainer]


def test_a_seed_that_diverges_does_not_disturb_the_others(distilbert: Path) -> None:
    trial = config(order_seed=1, epochs=4)
    models = [build(trial, seed, distilbert) for seed in SEEDS]
    with torch.no_grad():
        bias = models[1].get_parameter("head.classify.bias")
        bias.copy_(torch.tensor([1.5e38, -1.5e38]))  # finite logits; their mean loss overflows
    train, validation = loaded(trial)
    epochs = list(fit_seeds(models, train, validation, trial, stacked=True))
    assert [result.diverged for result in epochs[-1]] == [False, True, False]
    assert all(math.isfinite(v) for results in epochs for row in numbers(results) for v in row)
    _, expected = alone(trial, SEEDS[2], distilbert)
    assert epochs[-1][2].train_loss == pytest.approx(expected[-1].train_loss, abs=1e-4)


def test_seeds_without_a_shared_order_are_refused(distilbert: Path) -> None:
    trial = config()
    with pytest.raises(ValueError, match="order_seed: must be given"):
        next(fit_seeds([build(trial, 0, distilbert)], *loaded(trial), trial))


@pytest.mark.parametrize("stacked", [True, False])
def test_resumed_seeds_equal_seeds_that_were_not_interrupted(
    distilbert: Path, *, stacked: bool
) -> None:
    trial = config(epochs=4, order_seed=11, dropout=0.3)

    def begin(seeds: tuple[int, ...]) -> StackedTrainer | SequentialTrainer:
        models = [build(trial, seed, distilbert) for seed in seeds]
        return train_seeds(models, *loaded(trial), trial, stacked=stacked)

    undisturbed, interrupted, resumed = begin(SEEDS), begin(SEEDS), begin((0, 1, 2))
    expected = [undisturbed.run_epoch() for _ in range(4)]
    found = [interrupted.run_epoch() for _ in range(2)]
    buffer = io.BytesIO()
    torch.save(interrupted.state_dict(), buffer)
    buffer.seek(0)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    while not resumed.finished:
        found.append(resumed.run_epoch())
    for one, other in zip(found, expected, strict=True):
        assert numbers(one) == numbers(other)
