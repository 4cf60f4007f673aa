"""The cosine of a pair's texts, each the mean of its tokens' states at the freezing boundary.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.heads import masked_mean
from models.segments import FIRST, SECOND


def mean_cosine(states: Tensor, segments: Tensor) -> Tensor:
    """Return the cosine of the mean states of both texts, float (B, 1), in [-1, 1].

    It says how close the texts are for the encoder (Reimers and Gurevych, 2019), if each was
    encoded alone.

    Args:
        states: States of the tokens, float (B, T, D).
        segments: Kinds of position from ``models.segments``, int (B, T); each pair has both
            texts.
    """
    first, second = (masked_mean(states, segments == kind) for kind in (FIRST, SECOND))
    return nn.functional.cosine_similarity(first, second, dim=-1)[:, None]
