"""Guards what a configuration builds: learning rates, their schedule, order and branch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.classifier import Classifier
from models.encoder import load_encoder
from models.heads import build_head
from tests.tuning.training.test_trainer import PAIRS, config, toy
from tuning.training.builders import (
    build_branch,
    build_optimizer,
    parameter_groups,
    start_order,
    warmup_and_decay,
)


@pytest.mark.parametrize(("encoder_rate", "expected"), [(3e-5, 3e-5), ("same", 0.01)])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_head_and_encoder_have_their_own_learning_rates(
    distilbert: Path, optimizer: str, encoder_rate: float | str, expected: float
) -> None:
    _, upper = load_encoder(distilbert, 2)
    model = Classifier(None, upper, build_head("mean_pooling", width=12))
    trial = config(optimizer=optimizer, encoder_learning_rate=encoder_rate)
    head, encoder = build_optimizer(parameter_groups(model, trial), trial).param_groups
    assert (head["lr"], encoder["lr"]) == (0.01, expected)
    assert len(encoder["params"]) == len(list(upper.parameters()))
    if optimizer == "sgd":
        assert head["momentum"] == 0.9


def test_lower_layers_have_lower_learning_rates_with_layer_decay(distilbert: Path) -> None:
    _, upper = load_encoder(distilbert, 0)
    model = Classifier(None, upper, build_head("mean_pooling", width=12))
    trial = config(encoder_learning_rate=1e-4, layer_decay=0.5)
    head, *layers = parameter_groups(model, trial)
    assert head["lr"] == 0.01
    assert [group["lr"] for group in layers] == pytest.approx([1e-4, 5e-5, 2.5e-5, 1.25e-5])
    assert layers[0]["params"][0] is next(upper.layers[2].parameters())
    assert upper.embeddings is not None
    assert layers[3]["params"][0] is next(upper.embeddings.parameters())
    assert sum(len(group["params"]) for group in layers) == len(list(upper.parameters()))


def test_the_learning_rate_rises_linearly_and_falls_almost_to_zero() -> None:
    share = warmup_and_decay(config(warmup_fraction=0.2), 20)
    shares = [share(step) for step in range(20)]
    assert shares[:5] == pytest.approx([1 / 5, 2 / 5, 3 / 5, 4 / 5, 1])
    assert shares[-1] == pytest.approx(1 / 16)
    assert np.diff(shares[4:]) == pytest.approx(-1 / 16)


def test_an_order_seed_fixes_order_and_dropout_whatever_the_weights_seed(distilbert: Path) -> None:
    first = start_order(config(seed=1, order_seed=9))
    dropped = torch.rand(3)
    second = start_order(config(seed=2, order_seed=9))
    assert first.integers(1000) == second.integers(1000)
    assert torch.equal(torch.rand(3), dropped)


def test_a_branch_standardises_by_the_train_split() -> None:
    overlap = np.arange(2 * PAIRS, dtype=np.float64).reshape(PAIRS, 2)
    branch = build_branch(config(overlap_features=True), replace(toy(0), overlap=overlap))
    assert branch is not None
    assert branch.mean.tolist() == pytest.approx([PAIRS - 1, PAIRS])
    assert branch.scale.tolist() == pytest.approx([overlap[:, 0].std()] * 2)


def test_a_trial_without_features_has_no_branch() -> None:
    assert build_branch(config(), toy(0)) is None


def test_a_branch_without_its_features_is_refused() -> None:
    with pytest.raises(ValueError, match="the split has no overlap features"):
        build_branch(config(overlap_features=True), toy(0))
