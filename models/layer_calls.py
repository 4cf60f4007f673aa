"""How the layers of each family are called, with what all of them need computed once a batch.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.segments import PADDING

LayerCall = Callable[[nn.Module, Tensor], Tensor]  # from a layer and its input to its output


def masked(shared: Any, states: Tensor, segments: Tensor) -> LayerCall:  # noqa: ANN401 - other calls need it
    """Return the call of a layer that takes states and a mask to add to scores."""
    mask = _additive_mask(segments, states.dtype)
    return lambda layer, states: layer(states, mask)


def position_biased(shared: Any, states: Tensor, segments: Tensor) -> LayerCall:  # noqa: ANN401 - methods of the library's module
    """Return the call of a layer of MPNet, whose scores get a bias for each distance."""
    mask = _additive_mask(segments, states.dtype)
    bias = shared.compute_position_bias(states)  # (B, heads, T, T)
    return lambda layer, states: layer(states, mask, bias)[0]


def disentangled(shared: Any, states: Tensor, segments: Tensor) -> LayerCall:  # noqa: ANN401 - methods of the library's module
    """Return the call of a layer of DeBERTa, which attends to contents and distances.

    The lowest layer may have a convolution, which is a part of it.
    """
    real = (segments != PADDING).int()  # (B, T)
    arguments = {
        "attention_mask": shared.get_attention_mask(real),  # (B, 1, T, T)
        "relative_pos": shared.get_rel_pos(states),  # (1, T, T)
        "rel_embeddings": shared.get_rel_embedding(),
    }

    def call(layer: nn.Module, states: Tensor) -> Tensor:
        output = layer(states, **arguments)[0]
        convolution = getattr(layer, "convolution", None)
        return output if convolution is None else convolution(states, output, real)

    return call


def rotary(shared: Any, states: Tensor, segments: Tensor) -> LayerCall:  # noqa: ANN401 - methods of the library's module
    """Return the call of a layer of ModernBERT, which attends to all tokens or to near ones.

    The highest layer has the norm of the encoder's output, which is a part of it.
    """
    positions = torch.arange(states.shape[1], device=states.device)
    angles = {kind: shared(states, positions[None], kind) for kind in shared.layer_types}
    mask = _additive_mask(segments, states.dtype)
    distances = (positions[:, None] - positions[None, :]).abs()  # (T, T)
    # a position on padding sees itself: a row without any would not be a number in bfloat16
    hidden = (mask < 0) | (distances > shared.config.sliding_window)  # (B, 1, T, T)
    hidden = hidden & (distances > 0)
    near = torch.zeros_like(hidden, dtype=states.dtype)
    near = near.masked_fill(hidden, torch.finfo(states.dtype).min)
    masks = {"full_attention": mask, "sliding_attention": near}

    def call(layer: Any, states: Tensor) -> Tensor:  # noqa: ANN401 - attributes of the library's module
        kind = layer.attention_type
        output = layer(states, attention_mask=masks[kind], position_embeddings=angles[kind])
        norm = getattr(layer, "output_norm", None)
        return output if norm is None else norm(output)

    return call


def _additive_mask(segments: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask (B, 1, 1, T) to add to scores: 0 on tokens, the lowest number on padding."""
    mask = torch.zeros(segments.shape, dtype=dtype, device=segments.device)
    mask.masked_fill_(segments == PADDING, torch.finfo(dtype).min)
    return mask[:, None, None, :]


CALLS: dict[str, Callable[[nn.Module | None, Tensor, Tensor], LayerCall]] = {
    "disentangled": disentangled,
    "masked": masked,
    "position_biased": position_biased,
    "rotary": rotary,
}
