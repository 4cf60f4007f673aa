"""An encoder cut at the freezing boundary into a lower (frozen) and an upper (trained) part.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from measures.passwords import first_line
from models.encoder_files import EncoderError, read_encoder_info
from models.segments import PADDING, SECOND


class EncoderPart(nn.Module):
    """Consecutive layers of an encoder, with the embeddings below them or without.

    Args:
        embeddings: Embedding module of the encoder; None if the part starts at a layer.
        layers: Transformer layers that take states and an additive mask; may be empty.
        token_types: Whether the embeddings take the number of the definition, as in BERT.
    """

    def __init__(
        self, embeddings: nn.Module | None, layers: Iterable[nn.Module], *, token_types: bool
    ) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.layers = nn.ModuleList(layers)
        self.token_types = token_types

    def forward(self, inputs: Tensor, segments: Tensor) -> Tensor:
        """Return the states after the last layer of the part.

        Args:
            inputs: Token ids, int (B, T), if the part has embeddings; else states, (B, T, D).
            segments: Kinds of position from ``models.segments``, int (B, T).

        Returns:
            States, float (B, T, D); arbitrary but finite on padding.
        """
        states = inputs
        if self.embeddings is not None:
            states = self._embed(self.embeddings, inputs, segments)
        mask = _additive_mask(segments, states.dtype)
        for layer in self.layers:
            states = layer(states, mask)
        return states

    def from_the_top(self) -> list[nn.Module]:
        """Return the layers from the last to the first, then the embeddings if there are any."""
        parts = [*reversed(self.layers)]
        return parts if self.embeddings is None else [*parts, self.embeddings]

    def _embed(self, embeddings: nn.Module, tokens: Tensor, segments: Tensor) -> Tensor:
        if not self.token_types:
            return embeddings(tokens)
        # 1 from the first token of the second definition to the end of the row
        second = ((segments == SECOND).cumsum(dim=1) > 0).long()
        return embeddings(tokens, token_type_ids=second)


def _additive_mask(segments: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask (B, 1, 1, T) to add to scores: 0 on tokens, the lowest number on padding."""
    mask = torch.zeros(segments.shape, dtype=dtype, device=segments.device)
    mask.masked_fill_(segments == PADDING, torch.finfo(dtype).min)
    return mask[:, None, None, :]


def no_layers(architecture: str) -> EncoderPart:
    """Return an empty part, which returns its inputs: the upper part of a fully frozen encoder."""
    return EncoderPart(None, [], token_types=architecture == "bert")


def load_encoder(
    folder: Path, depth: int, *, attention: Literal["eager", "sdpa"] = "sdpa"
) -> tuple[EncoderPart, EncoderPart]:
    """Return the lower ``depth`` layers with the embeddings, and the layers above, in float32.

    With ``depth`` 0 the lower part is empty and the embeddings are in the upper one.

    Args:
        folder: Folder with the three files that ``read_encoder_info`` needs.
        depth: Number of layers in the lower part, from 0 to all.
        attention: Implementation of attention: ``eager`` trains short pairs faster on a CPU,
            ``sdpa`` predicts faster.

    Raises:
        EncoderError: If a file is missing or broken, the architecture is not supported, or a
            weight of the architecture is missing.
    """
    info = read_encoder_info(folder)
    model = _load_model(folder, attention, pooled=info.architecture == "bert")
    path = "transformer.layer" if info.architecture == "distilbert" else "encoder.layer"
    stack = list(model.get_submodule(path).children())
    embeddings = model.get_submodule("embeddings")
    token_types = info.architecture == "bert"
    if depth == 0:
        return no_layers(info.architecture), EncoderPart(
            embeddings, stack, token_types=token_types
        )
    lower = EncoderPart(embeddings, stack[:depth], token_types=token_types)
    return lower, EncoderPart(None, stack[depth:], token_types=token_types)


def _load_model(folder: Path, attention: str, *, pooled: bool) -> nn.Module:
    """Return the encoder in float32 and eval mode, without BERT's unused pooling layer."""
    # this import takes seconds, and a trial of a head on cached states does not need it
    from transformers import AutoModel
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()  # it warns of unused weights of a head; missing ones are an error below
    options = {"add_pooling_layer": False} if pooled else {}
    try:
        model, report = AutoModel.from_pretrained(
            folder,
            attn_implementation=attention,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            trust_remote_code=False,
            use_safetensors=True,
            **options,
        )
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise EncoderError(
            f"{folder}: the encoder cannot be loaded: {first_line(error)}"
        ) from error
    absent = sorted(report["missing_keys"])
    if absent:
        raise EncoderError(
            f"{folder}/model.safetensors: {len(absent)} weights missing, the first is {absent[0]}"
        )
    return model.eval()
