"""How the layers of each family are called, with what all of them need computed once a batch.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width. ``hidden`` is true
where a token (third dimension, 1 if it is the same for all) may not attend to a token (fourth).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.segments import PADDING, SECOND

LayerCall = Callable[[nn.Module, Tensor], Tensor]  # from a layer and its input to its output


def hide(segments: Tensor, *, separate: bool) -> Tensor:
    """Return which tokens are hidden from which, bool (B, 1, 1, T) or (B, 1, T, T).

    Args:
        segments: Kinds of position from ``models.segments``, int (B, T).
        separate: Whether the texts of a pair are hidden from each other too.
    """
    if not separate:
        return (segments == PADDING)[:, None, None, :]
    text = (segments > PADDING).int() + (segments >= SECOND).int()  # 0 for padding, 1 or 2
    return text[:, None, :, None] != text[:, None, None, :]


def positions_in_text(segments: Tensor) -> Tensor:
    """Return each token's position in its own text, int (B, T): 0 for the first, and for padding.

    Args:
        segments: Kinds of position of pairs that are encoded separately, int (B, T).
    """
    steps = torch.arange(segments.shape[1], device=segments.device)
    second = segments >= SECOND
    of_first = ((segments > PADDING) & ~second).sum(dim=1, keepdim=True)  # (B, 1)
    return (steps - of_first * second) * (segments > PADDING)


def masked(shared: Any, states: Tensor, hidden: Tensor) -> LayerCall:  # noqa: ANN401 - other calls need it
    """Return the call of a layer that takes states and a mask to add to scores."""
    mask = _additive_mask(hidden, states.dtype)
    return lambda layer, states: layer(states, mask)


def position_biased(shared: Any, states: Tensor, hidden: Tensor) -> LayerCall:  # noqa: ANN401 - methods of the library's module
    """Return the call of a layer of MPNet, whose scores get a bias for each distance."""
    mask = _additive_mask(hidden, states.dtype)
    bias = shared.compute_position_bias(states)  # (B, heads, T, T)
    return lambda layer, states: layer(states, mask, bias)[0]


def disentangled(shared: Any, states: Tensor, hidden: Tensor) -> LayerCall:  # noqa: ANN401 - methods of the library's module
    """Return the call of a layer of DeBERTa, which attends to contents and distances.

    The lowest layer may have a convolution, which is a part of it, and reads across texts.
    """
    visible = (~hidden).int().squeeze(1)  # (B, 1, T) or (B, T, T)
    real = visible[:, 0]  # (B, T); of no use where texts are separate
    mask = shared.get_attention_mask(real if visible.shape[1] == 1 else visible)
    arguments = {
        "attention_mask": mask,  # (B, 1, T, T)
        "relative_pos": shared.get_rel_pos(states),  # (1, T, T)
        "rel_embeddings": shared.get_rel_embedding(),
    }

    def call(layer: nn.Module, states: Tensor) -> Tensor:
        output = layer(states, **arguments)[0]
        convolution = getattr(layer, "convolution", None)
        return output if convolution is None else convolution(states, output, real)

    return call


def rotary(shared: Any, states: Tensor, hidden: Tensor) -> LayerCall:  # noqa: ANN401 - methods of the library's module
    """Return the call of a layer of ModernBERT, which attends to all tokens or to near ones.

    The highest layer has the norm of the encoder's output, which is a part of it.
    """
    positions = torch.arange(states.shape[1], device=states.device)
    angles = {kind: shared(states, positions[None], kind) for kind in shared.layer_types}
    distances = (positions[:, None] - positions[None, :]).abs()  # (T, T)
    # a position on padding sees itself: a row without any would not be a number in bfloat16
    far = (hidden | (distances > shared.config.sliding_window)) & (distances > 0)  # (B, 1, T, T)
    masks = {
        "full_attention": _additive_mask(hidden, states.dtype),
        "sliding_attention": _additive_mask(far, states.dtype),
    }

    def call(layer: Any, states: Tensor) -> Tensor:  # noqa: ANN401 - attributes of the library's module
        kind = layer.attention_type
        output = layer(states, attention_mask=masks[kind], position_embeddings=angles[kind])
        norm = getattr(layer, "output_norm", None)
        return output if norm is None else norm(output)

    return call


def _additive_mask(hidden: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask to add to scores, of the shape of ``hidden``: the lowest number where true."""
    mask = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device)
    return mask.masked_fill_(hidden, torch.finfo(dtype).min)


CALLS: dict[str, Callable[[nn.Module | None, Tensor, Tensor], LayerCall]] = {
    "disentangled": disentangled,
    "masked": masked,
    "position_biased": position_biased,
    "rotary": rotary,
}
