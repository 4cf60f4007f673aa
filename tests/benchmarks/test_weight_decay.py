"""Guards the comparison of weight decay: vectors alone are spared, all else is as in the tuner."""

from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.weight_decay import ALL, SPARED, spare_vectors, start
from models.encoder import load_encoder
from tests.tuning.search.test_trial import inputs_of
from tests.tuning.training.test_trainer import CPU, config
from tuning.training.builders import parameter_groups
from tuning.training.inputs import LoadedSplit


def test_only_biases_and_norms_are_spared_at_the_rates_of_before(distilbert: Path) -> None:
    trial = config(freezing=2, weight_decay=0.5, learning_rate=1e-3, encoder_learning_rate=1e-4)
    trained = load_encoder(distilbert, 2, encoding=trial.encoding)[1]
    inputs = replace(inputs_of(trial, distilbert), upper=trained)
    splits = {name: LoadedSplit(each, trial, CPU) for name, each in inputs.splits.items()}
    training = start(trial, inputs, splits, SPARED)
    groups = training.optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0, 0.5, 0.0]
    assert [group["initial_lr"] for group in groups] == [1e-3, 1e-3, 1e-4, 1e-4]
    names = {id(weight): name for name, weight in training.model.named_parameters()}
    for group in groups:
        ends = {names[id(weight)].rsplit(".", 1)[-1] for weight in group["params"]}
        norms = {names[id(w)] for w in group["params"] if "norm" in names[id(w)].lower()}
        assert group["weight_decay"] == 0 or (ends == {"weight"} and not norms)
    spared = {id(weight) for group in groups for weight in group["params"]}
    before = parameter_groups(training.model, trial)
    assert spared == {id(weight) for group in before for weight in group["params"]}


def test_without_a_gradient_what_is_spared_stays_and_the_rest_shrinks() -> None:
    layer = torch.nn.Linear(3, 2)
    groups = spare_vectors([{"params": list(layer.parameters()), "lr": 0.1}])
    optimizer = torch.optim.AdamW(groups, weight_decay=0.5)
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), weight * 0.95)
    torch.testing.assert_close(layer.bias.detach(), bias)


def test_without_decay_both_kinds_train_alike(distilbert: Path) -> None:
    trial = config(weight_decay=0.0)
    inputs = inputs_of(trial, distilbert)
    splits = {name: LoadedSplit(each, trial, CPU) for name, each in inputs.splits.items()}
    one, other = (start(trial, inputs, splits, kind).run_epoch() for kind in (ALL, SPARED))
    assert one.train_loss == other.train_loss
    assert one.scores == other.scores
