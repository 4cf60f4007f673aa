"""Guards the classifier: the frozen part does not change, and cached states give equal logits."""

from pathlib import Path

import pytest
import torch

from models.classifier import Classifier, run_frozen
from models.encoder import load_encoder
from models.heads import build_head
from models.segments import FIRST, SECOND, SPECIAL
from tuning.system.project import EMBEDDED

TOKENS = torch.tensor([[2, 7, 8, 3, 9, 3], [2, 11, 13, 3, 12, 3]])
SEGMENTS = torch.tensor([[SPECIAL, FIRST, FIRST, SPECIAL, SECOND, SPECIAL]] * 2)


def build(folder: Path, depth: int, width: int, precision: torch.dtype) -> Classifier:
    torch.manual_seed(0)
    lower, upper = load_encoder(folder, depth, attention="eager")
    head = build_head("cross_attention", width=width, head_width=6)
    return Classifier(lower, upper, head, precision=precision)


def test_training_leaves_the_frozen_part_alone(distilbert: Path) -> None:
    model = build(distilbert, 2, 12, torch.float32).train()
    assert model.lower is not None
    model(TOKENS, SEGMENTS).sum().backward()
    assert all(w.grad is None for w in model.lower.parameters())
    assert all(w.grad is not None for w in model.encoder_parameters())
    assert not any(module.training for module in model.lower.modules())
    assert model.upper.training


def test_trained_weights_are_all_but_the_frozen_ones(distilbert: Path) -> None:
    model = build(distilbert, 2, 12, torch.float32)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert set(model.trained_state()) == trained


@pytest.mark.parametrize(
    ("precision", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-6)]
)
@pytest.mark.parametrize("depth", [2, 4])
@torch.no_grad()
def test_states_of_the_frozen_part_give_the_logits_of_the_plain_pass(
    depth: int, precision: torch.dtype, tolerance: float
) -> None:
    model = build(EMBEDDED / "encoder", depth, 256, precision).eval()
    assert model.lower is not None
    states = run_frozen(model.lower, TOKENS, SEGMENTS, precision)
    plain = model(TOKENS, SEGMENTS)
    model.lower = None
    torch.testing.assert_close(model(states, SEGMENTS), plain, atol=tolerance, rtol=0)


@torch.no_grad()
def test_frozen_and_trained_layers_may_differ_in_precision() -> None:
    lower, upper = load_encoder(EMBEDDED / "encoder", 2, attention="eager")
    head = build_head("cross_attention", width=256, head_width=6)
    mixed = Classifier(
        lower, upper, head, precision=torch.float32, frozen_precision=torch.bfloat16
    ).eval()
    single = Classifier(lower, upper, head).eval()
    states = run_frozen(lower, TOKENS, SEGMENTS, torch.bfloat16)
    single.lower = None
    torch.testing.assert_close(mixed(TOKENS, SEGMENTS), single(states, SEGMENTS))
    double = run_frozen(lower, TOKENS, SEGMENTS, torch.float32)
    assert not torch.equal(single(states, SEGMENTS), single(double, SEGMENTS))
