"""An encoder cut at the freezing boundary into a lower (frozen) and an upper (trained) part.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from models.encoder_files import EncoderError, EncoderInfo, read_encoder_info
from models.families import FAMILIES, Family
from models.layer_calls import CALLS, hide, positions_in_text
from models.precision import choose_attention
from models.pretrained import load_pretrained, require_weights
from models.segments import PADDING, SECOND
from models.tokens import Encoding


class EncoderPart(nn.Module):
    """Consecutive layers of an encoder, with the embeddings below them or without.

    Args:
        embeddings: Embedding module of the encoder; None if the part starts at a layer.
        layers: Transformer layers; may be empty.
        architecture: Name of the family, a key of ``FAMILIES``.
        shared: Module that computes what all layers need, if the family has one; its weights are
            trained and frozen with the embeddings.
        token_types: Whether the embeddings take the number of the definition, as in BERT.
        separate: Whether each definition of a pair is encoded as if it stood alone (Reimers and
            Gurevych, 2019); the rows are of a table with that encoding.
        layer_mean: Whether a part with layers, which are all, returns the mean of their states and
            the embeddings' beside the highest's, and the part above, without any, takes the mean.
    """

    def __init__(
        self,
        embeddings: nn.Module | None,
        layers: Iterable[nn.Module],
        *,
        architecture: str,
        shared: nn.Module | None = None,
        token_types: bool = False,
        separate: bool = False,
        layer_mean: bool = False,
    ) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.layers = nn.ModuleList(layers)
        self.shared = shared
        self.architecture = architecture
        self.token_types = token_types
        self.separate = separate
        self.layer_mean = layer_mean
        if shared is not None and embeddings is None:
            shared.requires_grad_(False)

    def forward(self, inputs: Tensor, segments: Tensor) -> Tensor:
        """Return the states after the last layer of the part.

        Args:
            inputs: Token ids, int (B, T), if the part has embeddings; else states, (B, T, D).
            segments: Kinds of position from ``models.segments``, int (B, T).

        Returns:
            States, float (B, T, D), or (B, T, 2 * D) of a part with layers and ``layer_mean``;
            arbitrary but finite on padding.
        """
        if self.layer_mean and not len(self.layers):
            return inputs.chunk(2, dim=-1)[0]
        (states,) = self.forward_to([(len(self.layers), self.layer_mean)], inputs, segments)
        return states

    def forward_to(
        self, outputs: Sequence[tuple[int, bool]], inputs: Tensor, segments: Tensor
    ) -> list[Tensor]:
        """Return the states at each output, as a part that ends there returns them.

        Args:
            outputs: Number of the part's layers below each, and whether the mean of their states
                and the embeddings' stands beside the highest's.
            inputs: Token ids or states, as of ``forward``.
            segments: Kinds of position, as of ``forward``.
        """
        total, found = inputs, {}
        means = any(mean for _, mean in outputs)
        for depth, states in enumerate(self._each_layer(inputs, segments)):
            if means:
                total = total + states if depth else states
            if (depth, False) in outputs:
                found[depth, False] = states
            if (depth, True) in outputs:
                found[depth, True] = torch.cat([total / (depth + 1), states], dim=-1)
        return [found[output] for output in outputs]

    def _each_layer(self, inputs: Tensor, segments: Tensor) -> Iterator[Tensor]:
        """Yield the states below the layers, then those after each of them, float (B, T, D)."""
        states = inputs
        if self.embeddings is not None:
            states = self._embed(self.embeddings, inputs, segments)
        yield states
        if not len(self.layers):
            return
        hidden = hide(segments, separate=self.separate)
        call = CALLS[FAMILIES[self.architecture].call](self.shared, states, hidden)
        for layer in self.layers:
            states = call(layer, states)
            yield states

    def from_the_top(self) -> list[nn.Module]:
        """Return the layers from the last to the first, then the embeddings if there are any.

        What the layers share is with the embeddings.
        """
        parts = [*reversed(self.layers)]
        bottom = [part for part in (self.embeddings, self.shared) if part is not None]
        return parts if self.embeddings is None else [*parts, nn.ModuleList(bottom)]

    def _embed(self, embeddings: nn.Module, tokens: Tensor, segments: Tensor) -> Tensor:
        options = {}
        if self.token_types:
            # 1 from the first token of the second definition to the end of the row
            types = (segments == SECOND).cumsum(dim=1) > 0
            options["token_type_ids"] = (types & (not self.separate)).long()
        family = FAMILIES[self.architecture]
        if family.masked_embeddings:
            options["mask"] = (segments != PADDING).int()
        if self.separate and family.positions:
            offset = int(embeddings.padding_idx) + 1 if family.offset_by_padding else 0  # pyright: ignore[reportArgumentType] - a number
            options["position_ids"] = positions_in_text(segments) + offset
        states = embeddings(tokens, **options)
        projection = getattr(embeddings, "projection", None)
        return states if projection is None else projection(states)


def no_layers(architecture: str, *, layer_mean: bool = False) -> EncoderPart:
    """Return an empty part, which returns its inputs: the upper part of a fully frozen encoder."""
    return EncoderPart(None, [], architecture=architecture, layer_mean=layer_mean)


def load_encoder(
    folder: Path,
    depth: int,
    *,
    attention: Literal["eager", "sdpa"] = "sdpa",
    encoding: Encoding = "pair",
    layer_mean: bool = False,
) -> tuple[EncoderPart, EncoderPart]:
    """Return the lower ``depth`` layers with the embeddings, and the layers above, in float32.

    With ``depth`` 0 the lower part is empty and the embeddings are in the upper one.

    Args:
        folder: Folder with the files that ``read_encoder_info`` needs.
        depth: Number of layers in the lower part, from 0 to all.
        attention: Implementation of attention: ``eager`` trains short pairs faster on a CPU,
            ``sdpa`` predicts faster; a family that has one alone uses that.
        encoding: How the pairs of the rows are encoded.
        layer_mean: Whether the head reads the mean of all layers' states; without effect if there
            are layers in the upper part.

    Raises:
        EncoderError: If a file is missing or broken, the architecture is not supported, a weight
            of the architecture is missing, or the encoder cannot keep a pair's texts apart.
    """
    info = read_encoder_info(folder)
    family, separate = FAMILIES[info.architecture], encoding == "separate"
    model = _load_model(info, attention)
    stack = list(model.get_submodule(family.layers).children())
    _join(model, family, stack)
    if separate and getattr(stack[0], "convolution", None) is not None:
        raise EncoderError(f"{folder}: its convolution reads across texts; use encoding: pair")
    shared = _shared(model, family)
    part = partial(
        EncoderPart,
        architecture=info.architecture,
        token_types=family.token_types and getattr(model.config, "type_vocab_size", 0) > 1,
        separate=separate,
        layer_mean=layer_mean and depth == len(stack),
    )
    # the lowest layers are with the embeddings
    bottom = part(model.get_submodule("embeddings"), stack[: depth or None], shared=shared)
    if depth == 0:
        return no_layers(info.architecture), bottom
    above = stack[depth:]  # they have a copy: the parts may lie on different devices
    return bottom, part(None, above, shared=copy.deepcopy(shared) if above else None)


def encoder_loader(
    folder: Path,
    depth: int,
    device: torch.device,
    encoding: Encoding = "pair",
    *,
    layer_mean: bool = False,
) -> Callable[[], tuple[EncoderPart, EncoderPart]]:
    """Return a function that loads the encoder once, cut above its lower ``depth`` layers.

    Its first call imports a library for seconds, which cached states of all layers make needless.
    """
    load = partial(load_encoder, folder, depth, attention=choose_attention(device.type))
    return cache(partial(load, encoding=encoding, layer_mean=layer_mean))


def _shared(model: nn.Module, family: Family) -> nn.Module | None:
    """Return the module that computes what all layers need, without the layers."""
    if family.shared is None:
        return None
    shared = model.get_submodule(family.shared)
    if family.layers.startswith(f"{family.shared}."):
        shared.set_submodule(family.layers.removeprefix(f"{family.shared}."), nn.ModuleList())
    return shared


def _join(model: nn.Module, family: Family, stack: list[nn.Module]) -> None:
    """Make what comes once, before or after the layers, a part of its neighbour, in place."""
    if family.joined is None:
        return
    path, owner, name = family.joined
    owners = {"embeddings": model.get_submodule("embeddings")}
    owners |= {"lowest": stack[0], "highest": stack[-1]}
    parent, _, last = path.rpartition(".")
    setattr(owners[owner], name, getattr(model.get_submodule(parent), last, None))
    setattr(model.get_submodule(parent), last, None)


def _load_model(info: EncoderInfo, attention: str) -> nn.Module:
    """Return the encoder in float32 and eval mode, without BERT's unused pooling layer."""
    # this import takes seconds, and a trial of a head on cached states does not need it
    from transformers import AutoModel

    family = FAMILIES[info.architecture]
    options = {"add_pooling_layer": False} if family.pooler else {}
    attention = attention if family.sdpa else "eager"
    model, absent = load_pretrained(AutoModel, info, attn_implementation=attention, **options)
    require_weights(info, absent)
    return model.eval()
