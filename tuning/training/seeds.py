"""Train the seeds of one configuration together: as one stacked model, or in turns.

With a fully frozen encoder all seeds can be one stacked model, whose batches are gathered, and
whose dropout is drawn, once. Else, and on a CPU, they take turns in one process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.classifier import Classifier
from models.heads import BiLstmAttentionHead
from tuning.config.experiment import TrialConfig
from tuning.training.inputs import LoadedSplit
from tuning.training.stacked import StackedTrainer
from tuning.training.trainer import EpochResult, Trainer


def train_seeds(
    models: list[Classifier],
    train: LoadedSplit,
    validation: LoadedSplit,
    config: TrialConfig,
    *,
    stacked: bool | None = None,
) -> StackedTrainer | SequentialTrainer:
    """Return the training of all models, in place, an epoch at a time.

    A seed that diverged keeps its last result while the others go on.

    Args:
        models: One a seed: the same configuration, other initial weights.
        train: What is learned from.
        validation: What each epoch is scored on.
        config: Must give ``order_seed``, which all seeds share.
        stacked: Whether to stack what can be stacked. By default on a GPU alone: on a CPU, whose
            matrix products take as long stacked, turns are faster (``benchmarks/seeds.py``).

    Raises:
        ValueError: If ``order_seed`` is not given.
    """
    if config.order_seed is None:
        raise ValueError("order_seed: must be given, since the seeds share order and dropout")
    if stacked is None:
        stacked = next(models[0].head_parameters()).is_cuda
    if stacked and can_stack(models):
        return StackedTrainer(models, train, validation, config)
    return SequentialTrainer([Trainer(model, train, validation, config) for model in models])


def fit_seeds(
    models: list[Classifier],
    train: LoadedSplit,
    validation: LoadedSplit,
    config: TrialConfig,
    *,
    stacked: bool | None = None,
) -> Iterator[list[EpochResult]]:
    """Train as ``train_seeds`` says, yielding after each epoch what became of each seed."""
    training = train_seeds(models, train, validation, config, stacked=stacked)
    while not training.finished:
        yield training.run_epoch()


def can_stack(models: list[Classifier]) -> bool:
    """Return whether nothing of the encoder is run and the head is one that ``vmap`` takes."""
    encoder = any(m.lower is not None or len(list(m.encoder_parameters())) for m in models)
    return not encoder and not any(isinstance(m.head, BiLstmAttentionHead) for m in models)


class SequentialTrainer:
    """Trainings that run an epoch each in turn, every one with random numbers of its own."""

    def __init__(self, trainings: list[Trainer]) -> None:
        self.trainings = trainings

    @property
    def finished(self) -> bool:
        """Return whether every seed is."""
        return all(training.finished for training in self.trainings)

    def run_epoch(self) -> list[EpochResult]:
        """Return what became of each seed; one that is finished keeps its result."""
        for training in self.trainings:
            if not training.finished:
                training.run_epoch()
        return [training.result for training in self.trainings if training.result is not None]

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all seeds."""
        return {"seeds": [training.state_dict() for training in self.trainings]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` gave."""
        for training, own in zip(self.trainings, state["seeds"], strict=True):
            training.load_state_dict(own)
