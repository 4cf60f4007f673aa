"""Guards the inputs of trials: cosines only of frozen states, targets, weights of the classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from models.frozen_pass import FrozenPass
from models.number_formats import read_precision
from tests.tuning.training.test_trainer import CPU, PAIRS, config, toy
from tuning.config.experiment import Experiment
from tuning.data.prepared import prepare
from tuning.data.sources import DataLocations
from tuning.training.activation_cache import cached_states
from tuning.training.evaluation import score_logits
from tuning.training.inputs import LoadedSplit, balanced_weights, build_inputs, share_inputs

RARE = (np.arange(PAIRS) % 10 == 0).astype(np.int64)


def rare(**changes: object) -> LoadedSplit:
    """Return a split in which every tenth pair is a paraphrase."""
    arrays = replace(toy(0), labels=RARE, votes=np.where(RARE, 2 / 3, 0).astype(np.float32))
    return LoadedSplit(arrays, config(**changes), CPU)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=RARE)
    np.testing.assert_allclose(balanced_weights(rare().targets), expected, rtol=1e-6)


@pytest.mark.parametrize("targets", ["labels", "votes"])
def test_both_classes_count_alike_and_pairs_have_the_mean_weight_one(targets: str) -> None:
    weighted = rare(targets=targets, class_weight="balanced").targets
    torch.testing.assert_close(weighted.sum(dim=0), torch.tensor([PAIRS / 2, PAIRS / 2]))
    logits = torch.zeros(PAIRS, 2, requires_grad=True)
    nn.functional.cross_entropy(logits, weighted).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad.sum(dim=0), torch.zeros(2), atol=1e-6, rtol=0)


def test_the_loss_of_a_batch_is_the_weighted_sum_by_the_number_of_its_pairs() -> None:
    split = rare(class_weight="balanced")
    logits = torch.tensor([[0.3, -0.2], [1.0, 0.5], [-0.4, 0.1]])
    rows = np.array([0, 1, 2])  # the first is a paraphrase
    found = nn.functional.cross_entropy(logits, split.targets_of(rows))
    each = -logits.log_softmax(dim=1)[torch.arange(3), torch.tensor([1, 0, 0])]
    weights = torch.tensor([10 / 2, 10 / 18, 10 / 18])
    torch.testing.assert_close(found, (weights * each).sum() / 3)
    alone = nn.functional.cross_entropy(logits[1:], split.targets_of(rows[1:]))  # one class
    torch.testing.assert_close(alone, (weights * each)[1:].sum() / 2)


def test_without_weights_and_with_equal_classes_the_targets_are_the_probabilities() -> None:
    assert rare().targets[:2].tolist() == [[0, 1], [1, 0]]
    labels = np.arange(PAIRS) % 2
    half = replace(toy(0), labels=labels)
    weighted = LoadedSplit(half, config(class_weight="balanced"), CPU).targets
    assert weighted[:, 1].tolist() == labels.tolist()


def test_a_class_that_nobody_voted_for_gives_finite_targets() -> None:
    arrays = replace(toy(0), votes=np.zeros(PAIRS, dtype=np.float32))
    targets = LoadedSplit(arrays, config(targets="votes", class_weight="balanced"), CPU).targets
    assert targets.isfinite().all()


@pytest.mark.parametrize(("targets", "share"), [("labels", 1.0), ("votes", 2 / 3)])
@pytest.mark.parametrize("weight", ["none", "balanced"])
def test_the_loss_that_chooses_an_epoch_is_against_the_trained_targets_without_weights(
    targets: str, share: float, weight: str
) -> None:
    logits = np.tile(np.array([[0.0, np.log(3)]], dtype=np.float32), (PAIRS, 1))  # 3/4 for a pair
    loss, scores = score_logits(rare(targets=targets, class_weight=weight), logits)
    rate = RARE.mean()
    assert loss == pytest.approx(-rate * np.log(3 / 4) - (1 - rate) * np.log(1 / 4))
    rate *= share
    expected = -rate * np.log(3 / 4) - (1 - rate) * np.log(1 / 4)
    assert scores["target_loss"] == pytest.approx(expected)


def test_trials_that_train_every_layer_stand_beside_others_that_have_cosines(
    tmp_path: Path,
) -> None:
    values = {"name": "check", "data": "embedded", "encoder": "embedded"}
    experiment = Experiment.model_validate({**values, "grid": {"freezing": ["all", "none"]}})
    prepared = prepare(experiment, DataLocations(cache=tmp_path))
    trained, frozen = prepared.input_variants
    assert (trained.cosine_feature, frozen.cosine_feature) == (False, True)
    inputs = build_inputs(prepared, trained, read_precision("float32"), tmp_path)
    assert [split.cosine for split in inputs.splits.values()] == [None, None, None]


def test_one_pass_gives_each_variant_of_inputs_the_states_that_it_gets_alone(
    distilbert: Path, tmp_path: Path
) -> None:
    words = [f"w{n}" for n in range(12)]
    frame = pd.DataFrame({"first": words, "second": words[::-1], "label": [0, 1] * 6})
    for split in ("train", "validation", "test"):
        frame.assign(first=frame["first"] + f" w{len(split)}").to_parquet(
            tmp_path / f"{split}.parquet"
        )
    values = {"name": "check", "data": str(tmp_path), "encoder": str(distilbert)}
    axes = {"freezing": ["all", 2, "none"], "layer_mean": [True, False]}
    experiment = Experiment.model_validate({**values, "grid": axes})
    prepared = prepare(experiment, DataLocations(cache=tmp_path))
    variants, single, run = prepared.input_variants, read_precision("float32"), FrozenPass()
    states = cached_states(prepared, variants, single, tmp_path / "one", run)
    assert sorted(key[::2] for key in states) == [(2, False), (3, False), (3, True)]
    for variant in variants:
        own = states.get(prepared.variant_of(variant), {})
        found = share_inputs(prepared, variant, single, own, run)
        alone = build_inputs(prepared, variant, single, tmp_path / "alone", run)
        for name, split in found.splits.items():
            expected = alone.splits[name].states
            assert (split.states is None) == (expected is None) == (not own)
            if expected is not None:
                np.testing.assert_array_equal(split.states, expected)
