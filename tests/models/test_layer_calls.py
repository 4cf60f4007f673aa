"""Guards what layers are called with: masks that leave every position something to see."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from models.layer_calls import hide, rotary
from models.segments import FIRST, PADDING, SECOND, SECOND_SPECIAL, SPECIAL

B, T, D, WINDOW = 2, 11, 6, 2


class Recorder(nn.Module):
    """A layer that keeps the mask it is called with."""

    attention_type = "sliding_attention"

    def forward(self, states: Tensor, **options: Tensor) -> Tensor:
        self.mask = options["attention_mask"]
        return states


def shared(states: Tensor, positions: Tensor, kind: str) -> Tensor:
    """Stand for the module of angles."""
    return positions


shared.layer_types = ["sliding_attention"]  # pyright: ignore[reportFunctionMemberAccess] - a module's
shared.config = SimpleNamespace(sliding_window=WINDOW)  # pyright: ignore[reportFunctionMemberAccess] - a module's


def test_a_local_layer_sees_near_tokens_and_padding_sees_itself_alone() -> None:
    segments = torch.full((B, T), FIRST)
    segments[1, 4:] = PADDING
    layer = Recorder()
    hidden = hide(segments, separate=False)
    rotary(shared, torch.zeros(B, T, D), hidden)(layer, torch.zeros(B, T, D))
    seen = layer.mask[:, 0] == 0  # (B, T, T)
    assert seen[0, 5].nonzero().flatten().tolist() == [3, 4, 5, 6, 7]
    assert seen[1, 3].nonzero().flatten().tolist() == [1, 2, 3]
    assert seen[1, 5].nonzero().flatten().tolist() == [3, 5]
    assert seen[1, 9].nonzero().flatten().tolist() == [9]


def test_a_token_is_hidden_from_the_other_text_and_from_padding() -> None:
    kinds = [SPECIAL, FIRST, SPECIAL, SECOND_SPECIAL, SECOND, SECOND_SPECIAL, PADDING]
    hidden = hide(torch.tensor([kinds]), separate=True)
    assert hidden.shape == (1, 1, 7, 7)
    seen = [row.logical_not().nonzero().flatten().tolist() for row in hidden[0, 0]]
    assert seen == [[0, 1, 2]] * 3 + [[3, 4, 5]] * 3 + [[6]]
    together = hide(torch.tensor([kinds]), separate=False)
    assert together.shape == (1, 1, 1, 7)
    assert together.flatten().tolist() == [False] * 6 + [True]
