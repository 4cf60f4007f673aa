"""What a configuration builds: the classifier, its optimizer, its schedule, its order of pairs."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch

from models.batches import SplitArrays
from models.classifier import Classifier
from models.heads import FeatureBranch, build_head
from tuning.config.experiment import TrialConfig
from tuning.training.inputs import SharedInputs


def build_classifier(trial: TrialConfig, inputs: SharedInputs) -> Classifier:
    """Seed torch's generator, and return a classifier with a head that is drawn from it."""
    torch.manual_seed(trial.seed)
    head = build_head(**head_arguments(trial, inputs.width))
    branch = build_branch(trial, inputs.splits["train"]) if trial.overlap_features else None
    precision = getattr(torch, inputs.precision)
    upper = copy.deepcopy(inputs.upper)  # trained in place; many trials share it
    return Classifier(inputs.lower, upper, head, branch=branch, precision=precision)


def build_branch(trial: TrialConfig, train: SplitArrays) -> FeatureBranch:
    """Return the branch for overlap features, which the train split's are the scale of.

    Raises:
        ValueError: If the split has no overlap features.
    """
    if train.overlap is None:
        raise ValueError("the train split has no overlap features")
    mean, scale = train.overlap.mean(axis=0), train.overlap.std(axis=0)
    moments = torch.from_numpy(np.stack([mean, scale])).float()
    classes = 2
    return FeatureBranch(moments[0], moments[1], trial.head_width, classes, trial.dropout)


def head_arguments(trial: TrialConfig, width: int) -> dict[str, Any]:
    """Return the arguments of ``build_head`` for this trial on an encoder of this width."""
    return {
        "name": trial.head,
        "width": width,
        "head_width": trial.head_width,
        "dropout": trial.dropout,
    }


def start_order(config: TrialConfig) -> np.random.Generator:
    """Return what draws the order of the pairs; seed torch's dropout where ``order_seed`` is set.

    Without it dropout goes on from where drawing the initial weights left torch's generator.
    """
    if config.order_seed is None:
        return np.random.default_rng(config.seed)
    torch.manual_seed(config.order_seed)
    return np.random.default_rng(config.order_seed)


def build_schedule(
    optimizer: torch.optim.Optimizer, pairs: int, config: TrialConfig
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return the warm-up and decay over all steps that training on ``pairs`` pairs takes."""
    steps = config.epochs * math.ceil(pairs / config.batch_size)
    return torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_and_decay(config, steps))


def parameter_groups(model: Classifier, config: TrialConfig) -> list[dict[str, Any]]:
    """Return the trained weights with their peak rates: the head's, then the encoder's.

    With ``layer_decay`` below 1 each layer is a group, its rate that share of the layer's above;
    the embeddings come last (Howard and Ruder, 2018).
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
    """Return AdamW or SGD over groups of weights with their own rates, in one kernel."""
    decay = config.weight_decay
    if config.optimizer == "sgd":
        momentum = config.momentum
        return torch.optim.SGD(groups, momentum=momentum, weight_decay=decay, fused=True)
    return torch.optim.AdamW(groups, weight_decay=decay, fused=True)


class warmup_and_decay:  # noqa: N801 - used as a function; a class so that it can be saved
    """The share of the peak rate at each step: up in a straight line, then down to zero.

    Args:
        config: Gives the share of steps that warm up.
        steps: Of the whole training.
    """

    def __init__(self, config: TrialConfig, steps: int) -> None:
        self.steps = steps
        self.warmup = round(steps * config.warmup_fraction)

    def __call__(self, step: int) -> float:
        """Return the share, in (0, 1], for the step with this number from 0."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        return max(self.steps - step, 1) / (self.steps - self.warmup)
