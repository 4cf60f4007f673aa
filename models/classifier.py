"""The classifier: the layers of the encoder that are run per trial, and a head on top.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor, nn

from models.encoder import EncoderPart


class Classifier(nn.Module):
    """Frozen lower layers (absent when their states come from a cache), trained layers, head.

    Args:
        lower: The frozen part; None if ``forward`` is given its output in place of token ids.
        upper: The trained part of the encoder; may have no layers.
        head: From states (B, T, D) and segments (B, T) to logits (B, C).
        branch: From features (B, F) of the pairs to logits that are added; None to use none.
        precision: In which the encoder's layers compute; the head always uses float32.
    """

    def __init__(
        self,
        lower: EncoderPart | None,
        upper: EncoderPart,
        head: nn.Module,
        *,
        branch: nn.Module | None = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.head = head
        self.branch = branch
        self.precision = precision
        if lower is not None:
            lower.requires_grad_(False)

    def train(self, mode: bool = True) -> Classifier:
        """Switch the trained parts' mode; the frozen part stays in eval mode, without dropout."""
        super().train(mode)
        if self.lower is not None:
            self.lower.eval()
        return self

    def forward(self, inputs: Tensor, segments: Tensor, features: Tensor | None = None) -> Tensor:
        """Return logits, float (B, C).

        Args:
            inputs: Token ids, int (B, T), or the cached states of the frozen part, (B, T, D).
            segments: Kinds of position from ``models.segments``, int (B, T).
            features: Of each pair, (B, F); needed by a classifier with a branch, else unused.

        Raises:
            ValueError: If there is a branch and no features are given.
        """
        logits = self.head(self._encode(inputs, segments), segments)
        if self.branch is None:
            return logits
        if features is None:
            raise ValueError("this classifier has a branch and needs the pairs' features")
        return logits + self.branch(features)

    def attend(self, inputs: Tensor, segments: Tensor) -> Tensor:
        """Return the head's attention weights, (B, T) or (B, T, T), for the same arguments."""
        attend = cast(Callable[[Tensor, Tensor], Tensor], self.head.attend)
        return attend(self._encode(inputs, segments), segments)

    def _encode(self, inputs: Tensor, segments: Tensor) -> Tensor:
        if self.lower is not None:
            inputs = run_frozen(self.lower, inputs, segments, self.precision)
        with autocast(inputs.device, self.precision):
            return self.upper(inputs, segments).float()

    def trained_state(self) -> dict[str, Tensor]:
        """Return every weight but the frozen part's, by name, without a copy."""
        return {
            name: weight
            for name, weight in self.state_dict().items()
            if not name.startswith("lower.")
        }

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the head and of the branch."""
        yield from self.head.parameters()
        if self.branch is not None:
            yield from self.branch.parameters()

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the trained weights of the encoder."""
        return self.upper.parameters()


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Return the context in which matrices multiply in ``precision``; off for float32."""
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)


@torch.no_grad()
def run_frozen(
    lower: EncoderPart, tokens: Tensor, segments: Tensor, precision: torch.dtype
) -> Tensor:
    """Return the states (B, T, D) of the frozen part, as they are cached.

    They are rounded to ``storage_type``, so that a cached and a plain pass differ by nothing
    but the order of additions.
    """
    with autocast(tokens.device, precision):
        states = lower(tokens, segments)
    return states.to(storage_type(precision)).float()


def storage_type(precision: torch.dtype) -> torch.dtype:
    """Return the type in which states are kept: float16 if computed in bfloat16.

    The states leave a layer norm in float32 and are of order 1: at the same size float16 keeps
    three more bits of them than bfloat16, and NumPy knows it.
    """
    return torch.float32 if precision == torch.float32 else torch.float16
