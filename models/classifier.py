"""The classifier: frozen and trained layers of the encoder, and a head on top.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width, C classes, F
features of a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from models.encoder import EncoderPart


class Classifier(nn.Module):
    """Frozen lower layers (absent when their states come from a cache), trained layers, head.

    Args:
        lower: Frozen part of the encoder; None if ``forward`` gets its output, not token ids.
        upper: Trained part of the encoder; may have no layers.
        head: Module from states (B, T, D), segments (B, T) and lengths (B,) to logits (B, C).
        branch: Module from features of the pairs (B, F) to logits (B, C) that are added, or None.
        precision: Type that the trained layers compute in; the head always uses float32.
        frozen_precision: Type that the frozen layers compute in; by default the same.
    """

    def __init__(
        self,
        lower: EncoderPart | None,
        upper: EncoderPart,
        head: nn.Module,
        *,
        branch: nn.Module | None = None,
        precision: torch.dtype = torch.float32,
        frozen_precision: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.head = head
        self.branch = branch
        self.precision = precision
        self.frozen_precision = frozen_precision or precision
        if lower is not None:
            lower.requires_grad_(False)

    def train(self, mode: bool = True) -> Classifier:
        """Set the mode of the trained parts; the frozen part stays in eval mode. Return self."""
        super().train(mode)
        if self.lower is not None:
            self.lower.eval()
        return self

    def forward(
        self,
        inputs: Tensor,
        segments: Tensor,
        features: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Return logits, float (B, C).

        Args:
            inputs: Token ids, int (B, T), or the cached states of the frozen part, (B, T, D).
            segments: Kinds of position from ``models.segments``, int (B, T).
            features: Features of each pair, float (B, F); unused without a branch.
            lengths: Numbers of tokens of the pairs, int64 (B,) on the CPU; counted if None.

        Raises:
            ValueError: If there is a branch and ``features`` is None.
        """
        logits = self.head(self._encode(inputs, segments), segments, lengths)
        if self.branch is None:
            return logits
        if features is None:
            raise ValueError("this classifier has a branch and needs the pairs' features")
        return logits + self.branch(features)

    def attend(self, inputs: Tensor, segments: Tensor) -> Tensor:
        """Return the head's attention weights, (B, T) or (B, T, T), for the inputs of ``forward``.

        The head must have a method ``attend``.
        """
        attend = cast(Callable[[Tensor, Tensor], Tensor], self.head.attend)
        return attend(self._encode(inputs, segments), segments)

    def _encode(self, inputs: Tensor, segments: Tensor) -> Tensor:
        if self.lower is not None:
            inputs = run_frozen(self.lower, inputs, segments, self.frozen_precision)
        with autocast(inputs.device, self.precision):
            return self.upper(inputs, segments).float()

    @property
    def device(self) -> torch.device:
        """Return the device of the head's weights."""
        return next(self.head.parameters()).device

    def trained_state(self) -> dict[str, Tensor]:
        """Return all weights except those of the frozen part, by name, not copied."""
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
        yield from (weight for weight in self.upper.parameters() if weight.requires_grad)


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Return a context in which matrix products use ``precision``; it is off for float32."""
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)


@torch.no_grad()
def run_frozen(
    lower: EncoderPart, tokens: Tensor, segments: Tensor, precision: torch.dtype
) -> Tensor:
    """Return the states (B, T, D) of the frozen part, as they are cached.

    They are rounded to ``storage_type``, so that cached and directly computed states differ only
    by the order of additions.
    """
    with autocast(tokens.device, precision):
        states = lower(tokens, segments)
    return states.to(storage_type(precision)).float()


@torch.no_grad()
def run_frozen_to(
    outputs: Sequence[tuple[int, bool]],
    lower: EncoderPart,
    tokens: Tensor,
    segments: Tensor,
    precision: torch.dtype,
) -> list[Tensor]:
    """Return the states at each output of ``EncoderPart.forward_to``, in ``storage_type``."""
    with autocast(tokens.device, precision):
        found = lower.forward_to(outputs, tokens, segments)
    return [states.to(storage_type(precision)) for states in found]


def storage_type(precision: torch.dtype) -> torch.dtype:
    """Return the type in which states are stored: float16 if they were computed in bfloat16.

    A layer norm returns the states in float32, with values of order 1: float16 has the same size
    as bfloat16, keeps three more bits of them, and is a type of NumPy.
    """
    return torch.float32 if precision == torch.float32 else torch.float16


def to_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the probability of class 1, float64 (N,), for logits (N, 2)."""
    difference = logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64)
    return 0.5 * (1 + np.tanh(difference / 2))  # the logistic function, without overflow
