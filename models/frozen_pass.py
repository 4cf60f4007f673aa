"""The pass of frozen layers over token sequences, with the states of one depth or of several.

Shapes: S tokens of all sequences of a table, D encoder width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from models.batches import RowReader, sorted_batches
from models.classifier import run_frozen_to
from models.encoder import EncoderPart
from models.precision import choose_device, use_fast_products
from models.state_writer import StateWriter
from models.tokens import TokenTable

Advance = Callable[[int], None]  # gets the number of rows that are ready since its last call
# as ``encode_each``
Elsewhere = Callable[
    [Sequence["FrozenEncoder"], TokenTable, Advance, Sequence[np.ndarray] | None], list[np.ndarray]
]
_TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}  # what fits a cache, and what fills a GPU


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenEncoder:
    """The frozen layers, and all that their states depend on besides the tokens.

    ``lower`` returns the layers; it is called only if states have to be computed. ``depth`` is
    their number, ``precision`` the type they compute in, ``layer_mean`` whether they return the
    mean of their states beside the highest's. ``elsewhere``, if given, runs them in place of this
    process, which then needs no such device.
    """

    lower: Callable[[], EncoderPart]
    encoder_fingerprint: str
    depth: int
    precision: torch.dtype
    device: torch.device
    layer_mean: bool = False
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenPass:
    """Where the frozen layers run, and who is told how far they are.

    Attributes:
        device: Device that trials run on; by default the one that torch sees here.
        elsewhere: Function that runs the layers on such a device in place of this process.
        advance: Called with the number of rows whose states are ready since its last call.
    """

    device: torch.device = field(default_factory=choose_device)
    elsewhere: Elsewhere | None = None
    advance: Advance = lambda rows: None


def encode(
    frozen: FrozenEncoder, table: TokenTable, advance: Advance = lambda rows: None
) -> np.ndarray:
    """Return the states of every token of the table's sequences, as ``encode_each``."""
    (states,) = encode_each([frozen], table, advance)
    return states


def encode_each(
    outputs: Sequence[FrozenEncoder],
    table: TokenTable,
    advance: Advance = lambda rows: None,
    states: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray]:
    """Return the states of every token of the table's sequences, float16 or float32 (S, D).

    One pass has all outputs: the layers of the deepest run, and the states below its others are
    written on the way.

    Args:
        outputs: Frozen layers, alike but for their number and the mean, and how to run them.
        table: Token sequences.
        advance: Called with the number of rows whose states are ready since its last call.
        states: Arrays to write them to, float (S, D); by default they are made in memory.

    On a processor the linear layers keep their weights in the precision of the pass afterwards.

    Raises:
        ValueError: If the table has no rows.
    """
    if not table.rows:
        raise ValueError("the table has no rows")
    frozen = deepest(outputs)
    if frozen.elsewhere is not None:
        return frozen.elsewhere(outputs, table, advance, states)
    use_fast_products()
    table, ends = table.sequences, [(each.depth, each.layer_mean) for each in outputs]
    lower = frozen.lower().to(frozen.device).eval()
    if frozen.device.type == "cpu":
        _round_weights(lower, frozen.precision)
    reader = RowReader(table, None, frozen.device)
    batches = list(sorted_batches(table.lengths, _TOKENS_PER_BATCH[frozen.device.type]))
    with ExitStack() as stack:
        writers = [
            stack.enter_context(StateWriter(table, frozen.device, states=own))
            for own in states or [None] * len(outputs)
        ]
        for rows, batch in zip(batches, reader.read_each(batches), strict=True):
            found = run_frozen_to(ends, lower, batch.inputs, batch.segments, frozen.precision)
            for writer, own in zip(writers, found, strict=True):
                writer.write(rows, own)
            advance(len(rows))
    return [writer.states for writer in writers if writer.states is not None]


def _round_weights(lower: EncoderPart, precision: torch.dtype) -> None:
    """Keep weights in the type that autocast would convert them to for every batch."""
    for layer in lower.modules():
        if type(layer) is nn.Linear:
            layer.to(precision)


def deepest(outputs: Sequence[FrozenEncoder]) -> FrozenEncoder:
    """Return the output whose layers are those of all others and more."""
    return max(outputs, key=lambda each: each.depth)
