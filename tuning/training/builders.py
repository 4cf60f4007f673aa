"""Builders from a trial's configuration: classifier, optimizer, schedule, order of pairs."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.batches import SplitArrays
from models.classifier import Classifier
from models.dropout import replace_dropout
from models.heads import FeatureBranch, build_head
from models.optimizers import SGD, AdamW
from models.precision import use_fast_products
from tuning.config.experiment import TrialConfig
from tuning.training.inputs import SharedInputs
from tuning.training.pair_features import features_of


class warmup_and_decay:  # noqa: N801 - used as a function; torch saves a class only
    """The share of the peak learning rate at each step: a linear rise, then a linear fall.

    Args:
        config: Configuration with the share of steps that warm up.
        steps: Number of steps of the whole training.
    """

    def __init__(self, config: TrialConfig, steps: int) -> None:
        self.steps = steps
        self.warmup = round(steps * config.warmup_fraction)

    def __call__(self, step: int) -> float:
        """Return the share, in (0, 1], at a step counted from 0."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        return max(self.steps - step, 1) / (self.steps - self.warmup)


def build_classifier(trial: TrialConfig, inputs: SharedInputs) -> Classifier:
    """Seed torch's generator and return a classifier whose head has random weights from it.

    From then on this process multiplies float32 as ``use_fast_products`` says.

    Raises:
        ValueError: If the trial uses features that the train split lacks.
    """
    use_fast_products()
    torch.manual_seed(trial.seed)
    head = build_head(**head_arguments(trial, inputs.width))
    branch = build_branch(trial, inputs.splits["train"])
    upper = copy.deepcopy(inputs.upper)  # trained in place; many trials share it
    replace_dropout(upper)
    return Classifier(
        inputs.lower,
        upper,
        head,
        branch=branch,
        precision=getattr(torch, inputs.precision.trained),
        frozen_precision=getattr(torch, inputs.precision.frozen),
    )


def head_arguments(trial: TrialConfig, width: int) -> dict[str, Any]:
    """Return the arguments of ``build_head`` for this trial on an encoder of this width."""
    return {
        "name": trial.head,
        "width": width,
        "head_width": trial.head_width,
        "dropout": trial.dropout,
    }


def build_branch(trial: TrialConfig, train: SplitArrays) -> FeatureBranch | None:
    """Return the branch for the pairs' features, standardised by those of the train split.

    Return None if the trial uses no features.

    Raises:
        ValueError: If the split lacks features that the trial uses.
    """
    features = features_of(train, trial)
    if features is None:
        return None
    mean, scale = features.mean(axis=0), features.std(axis=0)
    moments = torch.from_numpy(np.stack([mean, scale])).float()
    classes = 2
    return FeatureBranch(moments[0], moments[1], trial.head_width, classes, trial.dropout)


def parameter_groups(model: Classifier, config: TrialConfig) -> list[dict[str, Any]]:
    """Return the trained weights with their peak learning rates: the head's, then the encoder's.

    With ``layer_decay`` below 1 each layer is a group whose rate is that share of the rate of the
    layer above it; the embeddings come last (Howard and Ruder, 2018).
    """
    rate = config.encoder_learning_rate
    if isinstance(rate, str):  # "same"
        rate = config.learning_rate
    head = {"params": list(model.head_parameters()), "lr": config.learning_rate}
    if config.layer_decay == 1:
        parts = [list(model.encoder_parameters())]
    else:
        parts = [list(part.parameters()) for part in model.upper.from_the_top()]
    encoder = [
        {"params": part, "lr": rate * config.layer_decay**position}
        for position, part in enumerate(parts)
    ]
    return [group for group in (head, *encoder) if group["params"]]


def build_optimizer(groups: list[dict[str, Any]], config: TrialConfig) -> torch.optim.Optimizer:
    """Return AdamW or SGD over groups of weights with their own learning rates, fused."""
    decay = config.weight_decay
    if config.optimizer == "sgd":
        momentum = config.momentum
        return SGD(groups, momentum=momentum, weight_decay=decay, fused=True)
    return AdamW(groups, weight_decay=decay, fused=True)


def build_schedule(
    optimizer: torch.optim.Optimizer, pairs: int, config: TrialConfig
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return the learning rates' warm-up and decay over all steps of a training on ``pairs``."""
    steps = config.epochs * math.ceil(pairs / config.batch_size)
    return torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_and_decay(config, steps))


def start_order(config: TrialConfig) -> np.random.Generator:
    """Return the generator of the pairs' order; with ``order_seed`` also seed torch's generator.

    Without ``order_seed``, dropout continues from the state that drawing the initial weights left
    torch's generator in.
    """
    if config.order_seed is None:
        return np.random.default_rng(config.seed)
    torch.manual_seed(config.order_seed)
    return np.random.default_rng(config.order_seed)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's generators: the CPU's, and the device's if it is a GPU."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_states(states: Mapping[str, Tensor]) -> None:
    """Set torch's generators to the states that ``random_states`` returned."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu())
