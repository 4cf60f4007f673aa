"""Guards the choice of a trial's best epoch: sound, then least loss, and restored as it was."""

import weakref
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from tests.tuning.search.test_trial import COMPONENTS, inputs_of
from tests.tuning.training.test_trainer import CPU, config
from tuning.execution.context import with_pool
from tuning.execution.trial import BestEpoch, WorkerInputs, device_of, epoch_metrics
from tuning.training.inputs import SharedInputs
from tuning.training.trainer import EpochResult


class Weights(nn.Module):
    """A single weight that is trained, where BestEpoch expects a classifier's."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def trained_state(self) -> dict[str, Tensor]:
        return dict(self.state_dict())


def result(
    epoch: int, loss: float, *, area: float = 0.8, rate: float = 0.4, diverged: bool = False
) -> EpochResult:
    """Return an epoch whose F1 and loss against the labels rise with its loss, and mislead."""
    return EpochResult(
        epoch=epoch,
        train_loss=0.6,
        val_loss=1 - loss,
        scores={"f1_at_threshold": loss, "positive_rate": rate, "auc": area, "target_loss": loss},
        seconds=2.0,
        diverged=diverged,
    )


def best_of(*results: EpochResult) -> tuple[int, float]:
    """Return the best epoch and the weight that it restores: epoch 1 leaves 1, and so on."""
    module = Weights()
    model = cast(Classifier, module)
    best = BestEpoch(model)
    for each in results:
        module.weight.data.fill_(each.epoch)
        best.update(model, each)
    again = BestEpoch(model)
    again.load_state_dict(best.state_dict())
    module.weight.data.fill_(99)
    again.restore(model)
    return again.epoch, module.weight.item()


@pytest.mark.parametrize(
    ("results", "epoch"),
    [
        ([], 0),
        ([result(1, 0.6), result(2, 0.4), result(3, 0.5)], 2),
        ([result(1, 0.4), result(2, 0.4)], 1),
        ([result(1, 0.3, area=0.5), result(2, 0.6)], 2),
        ([result(1, 0.3, rate=1.0), result(2, 0.6)], 2),
        ([result(1, 0.6), result(2, 0.3, rate=0.0)], 1),
        ([result(1, 0.6, rate=0.0), result(2, 0.3, rate=0.0)], 2),
        ([result(1, 0.3, diverged=True)], 0),
    ],
)
def test_the_best_sound_epoch_is_restored(results: list[EpochResult], epoch: int) -> None:
    assert best_of(*results) == (epoch, float(epoch))


def test_a_report_has_losses_scores_and_f1_of_the_best_epoch() -> None:
    assert epoch_metrics(result(3, 0.25), best=0.75) == {
        "epoch": 3,
        "train_loss": 0.6,
        "val_loss": 0.75,
        "val_target_loss": 0.25,
        "val_f1_at_threshold": 0.25,
        "val_positive_rate": 0.4,
        "val_auc": 0.8,
        "seconds": 2.0,
        "best_val_f1_at_threshold": 0.75,
    }


def test_a_gpu_that_ray_did_not_give_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # as on a node that has some
    assert device_of([]).type == "cpu"
    assert device_of(["0"]).type == "cuda"


def test_a_process_keeps_the_inputs_of_one_variant(distilbert: Path) -> None:
    alive: list[weakref.ref[nn.Module]] = []

    def fetch(reference: str) -> SharedInputs:
        assert not [each for each in alive if each() is not None]  # never two at a time
        if reference == "lost":
            raise ConnectionError
        found = inputs_of(config(), distilbert)
        found.upper.itself = found.upper  # only a collection of cycles ends it
        alive.append(weakref.ref(found.upper))
        return with_pool(found, COMPONENTS) if reference == "folds" else found

    kept = WorkerInputs(fetch)
    one = kept.get("plain", CPU)
    assert kept.get("plain", CPU) is one
    assert one.pool is None
    del one
    other = kept.get("folds", CPU)
    assert other.pool is not None
    assert other.splits["train"].states is other.splits["validation"].states is other.pool.states
    del other
    with pytest.raises(ConnectionError):
        kept.get("lost", CPU)
    assert kept.get("folds", CPU).splits.keys() == {"train", "validation"}
    assert len(alive) == 3
