"""Guards dropout: right share, equal mean, none in eval mode, one mask for stacked seeds."""

import pytest
import torch
from torch import nn
from torch.func import vmap

from models.dropout import Dropout, replace_dropout


@pytest.mark.parametrize("chance", [0.1, 0.2, 0.5, 0.9])
def test_the_share_dropped_is_the_chance_and_the_mean_is_kept(chance: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(chance)(torch.ones(301, 997))
    share = (dropped == 0).float().mean().item()
    assert share == pytest.approx(chance, abs=4 * (chance * (1 - chance) / 300_097) ** 0.5)
    assert dropped.max().item() == pytest.approx(1 / (1 - chance), rel=1e-3)
    assert dropped.double().mean().item() == pytest.approx(1, abs=0.02)


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(400_003)) > 0).float() - 0.5
    for apart in (1, 2, 3, 4):  # four share a random number
        together = (kept[:-apart] * kept[apart:]).mean().item()
        assert together == pytest.approx(0, abs=4 * 0.25 / 400_000**0.5)


def test_gradients_pass_where_features_do() -> None:
    torch.manual_seed(0)
    features = torch.ones(7, 5, requires_grad=True)
    dropped = Dropout(0.4)(features)
    dropped.sum().backward()
    assert features.grad is not None
    torch.testing.assert_close(features.grad, dropped.detach())


def test_nothing_is_dropped_in_eval_mode_or_at_chance_zero() -> None:
    features = torch.randn(3, 7)
    assert Dropout(0.5).eval()(features) is features
    assert Dropout(0.0)(features) is features


def test_the_same_seed_drops_the_same() -> None:
    outputs = []
    for _ in range(2):
        torch.manual_seed(3)
        outputs.append(Dropout(0.3)(torch.ones(5, 11)))
    torch.testing.assert_close(*outputs)


def test_stacked_models_share_a_mask() -> None:
    torch.manual_seed(0)
    dropout = Dropout(0.5)
    stacked = vmap(lambda features: dropout(features), randomness="same")(torch.ones(4, 6, 9))
    assert 0 < (stacked[0] == 0).sum() < 54
    for other in stacked[1:]:
        torch.testing.assert_close(other, stacked[0])


@pytest.mark.parametrize("chance", [-0.1, 1.0])
def test_a_chance_outside_its_range_is_refused(chance: float) -> None:
    with pytest.raises(ValueError, match=f"at least 0 and below 1, got {chance}"):
        Dropout(chance)


def test_dropout_of_torch_is_replaced_at_its_chance_and_nothing_else_changes() -> None:
    shared = nn.Dropout(0.3)
    inner = nn.Sequential(nn.Linear(3, 5), shared, nn.ReLU())
    model = nn.Sequential(inner, nn.Dropout(0.7), nn.Dropout1d(0.2), shared).eval()
    features = torch.randn(11, 3)
    before, kept = model(features), model[2]
    replace_dropout(model)
    replaced = [inner[1], model[1], model[3]]
    assert [each.p for each in replaced if isinstance(each, Dropout)] == [0.3, 0.7, 0.3]
    assert model[2] is kept
    torch.testing.assert_close(model(features), before, rtol=0, atol=0)


def test_dropout_is_replaced_in_the_mode_that_the_model_is_in() -> None:
    for mode in (True, False):
        model = nn.Sequential(nn.Dropout(0.5)).train(mode)
        replace_dropout(model)
        assert model[0].training == mode
