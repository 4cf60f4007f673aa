"""Training of all seeds of one configuration together: as one stacked model, or in turns.

With a fully frozen encoder several seeds can be one stacked model, which gathers each batch and
draws its dropout once. Otherwise, and on a CPU, the seeds take turns in one process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from models.batches import Batch
from models.classifier import Classifier
from models.heads import BiLstmAttentionHead
from tuning.config.experiment import TrialConfig
from tuning.training.epoch import batch_loss
from tuning.training.inputs import LoadedSplit
from tuning.training.stacked import StackedTrainer
from tuning.training.trainer import EpochResult, Trainer


class SequentialTrainer:
    """Trainers that run one epoch each in turn, each with random numbers of its own.

    Args:
        trainings: One trainer for each seed.
    """

    def __init__(self, trainings: list[Trainer]) -> None:
        self.trainings = trainings

    @property
    def finished(self) -> bool:
        """Return whether the training of every seed has finished."""
        return all(training.finished for training in self.trainings)

    def run_epoch(self) -> list[EpochResult]:
        """Train each seed one more epoch and return its result; a finished one keeps its last."""
        for training in self.trainings:
            if not training.finished:
                training.run_epoch()
        return [training.result for training in self.trainings if training.result is not None]

    def step(self, batch: Batch, targets: Tensor) -> None:
        """Train each seed one step on a batch of B rows, towards targets (B, C)."""
        for training in self.trainings:
            training.model.train()
            training.step(batch_loss(training.model, batch, targets, training.config.r_drop))

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all seeds."""
        return {"seeds": [training.state_dict() for training in self.trainings]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned for the same seeds."""
        for training, own in zip(self.trainings, state["seeds"], strict=True):
            training.load_state_dict(own)


def fit_seeds(
    models: list[Classifier],
    train: LoadedSplit,
    validation: LoadedSplit,
    config: TrialConfig,
    *,
    stacked: bool | None = None,
) -> Iterator[list[EpochResult]]:
    """Train all models in place, yielding after each epoch the result of each seed.

    Args and errors are those of ``train_seeds``.
    """
    training = train_seeds(models, train, validation, config, stacked=stacked)
    while not training.finished:
        yield training.run_epoch()


def train_seeds(
    models: list[Classifier],
    train: LoadedSplit,
    validation: LoadedSplit,
    config: TrialConfig,
    *,
    stacked: bool | None = None,
) -> StackedTrainer | SequentialTrainer:
    """Return a trainer that trains all models in place, one epoch at a time.

    A seed that diverged keeps its last result while the others continue.

    Args:
        models: One classifier for each seed: the same configuration, other initial weights.
        train: Split to learn from.
        validation: Split on which each epoch is scored.
        config: Configuration with ``order_seed``, which all seeds share.
        stacked: Whether to stack models that can be stacked. By default only on a GPU: on a CPU
            stacked matrix products take as long, and turns are faster (``benchmarks/seeds.py``).
            One model is never stacked: on a GPU a stack of one takes longer than the model.

    Raises:
        ValueError: If ``order_seed`` is not given.
    """
    if config.order_seed is None:
        raise ValueError("order_seed: must be given, since the seeds share order and dropout")
    if stacked is None:
        stacked = next(models[0].head_parameters()).is_cuda
    if stacked and len(models) > 1 and can_stack(models):
        return StackedTrainer(models, train, validation, config)
    return SequentialTrainer([Trainer(model, train, validation, config) for model in models])


def can_stack(models: list[Classifier]) -> bool:
    """Return whether the models run no encoder layer and ``vmap`` supports their heads."""
    encoder = any(m.lower is not None or len(list(m.encoder_parameters())) for m in models)
    return not encoder and not any(isinstance(m.head, BiLstmAttentionHead) for m in models)
