"""Guards, on a GPU alone, pretraining there: the CPU's losses, and no wait between two looks."""

from __future__ import annotations

import pytest
import torch

from models.masked_language_model import build_model
from tests.tuning.pretraining.test_trainer import SHAPE, V, make_text, phase_of
from tuning.pretraining.trainer import MlmTrainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")


def training_on(kind: str, precision: str = "float32") -> MlmTrainer:
    device = torch.device(kind)
    model, phase = build_model(V, SHAPE, seed=0).to(device), phase_of(steps=40, batch_size=64)
    return MlmTrainer(model, make_text(), phase, precision=precision, device=device)


def test_the_card_comes_to_the_cpus_losses() -> None:
    one, other = (training_on(kind) for kind in ("cpu", "cuda"))
    losses = [[result.loss for result in each.run(20)] for each in (one, other)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-2)
    scores = [each.score(make_text(seed=1), 50)["heldout_loss"] for each in (one, other)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_does_not_wait_for_the_card(precision: str) -> None:
    training = training_on("cuda", precision)
    batches = training._batches()
    for mode in ("default", "default", "error"):  # first with what a library does once
        parts = next(batches)
        torch.cuda.set_sync_debug_mode(mode)
        try:
            training._accumulate(parts)
            training.optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    batches.close()
