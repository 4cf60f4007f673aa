"""The model for masked-language-model training: DistilBERT with its head, loss and files.

Shapes: B sequences in the batch, T tokens per sequence, M masked positions in the whole batch,
D encoder width, V word pieces of the vocabulary.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DistilBertConfig, DistilBertForMaskedLM
from transformers.utils.logging import disable_progress_bar

from models.encoder_files import WEIGHTS, EncoderError, read_encoder_info
from models.pretrained import load_pretrained, require_weights

_ROWS = 128  # the head computes a multiple of this number of positions
_SLOWEST = 0.01  # radians per token of the slowest position sinusoid; the fastest has 1
_POSITION_SCALE = 0.04 * 2**0.5  # amplitude: twice the norm of the initial word embeddings
_HEAD = ("vocab_transform", "vocab_layer_norm", "vocab_projector")  # modules after the encoder


class MaskedLanguageModel(nn.Module):
    """An encoder with a head that computes logits at the masked positions only.

    Sequences have no padding, so no attention mask is needed. Train it in ``eval`` mode, without
    dropout: a small encoder underfits this much text.

    Args:
        inner: DistilBERT with its head; input and output embeddings are one matrix.
    """

    def __init__(self, inner: DistilBertForMaskedLM) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: Tensor, starts: Tensor, chosen: Tensor) -> Tensor:
        """Return logits of the word pieces at the chosen positions, (M, V).

        Args:
            tokens: Token ids after masking, int (B, T).
            starts: Position of each sequence's first token, int (B,): sequences are shorter than
                the encoder allows, and with different starts all positions are trained.
            chosen: These M positions among those of all sequences, int (M,), from 0 to B T - 1.
        """
        positions = starts[:, None] + torch.arange(tokens.shape[1], device=tokens.device)  # (B, T)
        states = self.inner.distilbert(tokens, position_ids=positions).last_hidden_state
        count = len(chosen)
        # torch keeps what it prepares for each number of rows: use few different numbers
        positions = nn.functional.pad(chosen, (0, -count % _ROWS))
        masked = self.inner.vocab_transform(states.flatten(0, 1)[positions])  # (M + padding, D)
        masked = self.inner.vocab_layer_norm(self.inner.activation(masked))
        return self.inner.vocab_projector(masked)[:count]


class _SummedLoss(torch.autograd.Function):
    """Cross-entropy that computes its gradient in the forward pass, in the memory of the logits.

    The V logits of each position are most of the data that the head reads and writes: this passes
    over them once, while softmax, its loss and their gradients pass over them five times.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:  # noqa: ANN401 - torch's
        """Return the summed loss in nats; keep its gradient with respect to the logits (M, V)."""
        work = logits.float()
        rows = torch.arange(len(targets), device=targets.device)
        target_logits = work[rows, targets]  # (M,)
        normaliser = work.logsumexp(dim=-1)  # (M,)
        gradient = work.sub_(normaliser[:, None]).exp_()
        gradient[rows, targets] -= 1
        ctx.save_for_backward(gradient.to(logits.dtype))
        return (normaliser - target_logits).sum()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None


def summed_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy in nats, summed over the M positions.

    Args:
        logits: Logits of the word pieces, float (M, V); overwritten if they are float32.
        targets: Ids of the word pieces before masking, int (M,).
    """
    return _SummedLoss.apply(logits, targets)


def build_model(
    vocabulary: int, shape: dict[str, int], seed: int, *, near: bool = True
) -> MaskedLanguageModel:
    """Seed torch's generator and return a model with random weights, the same for each seed.

    Args:
        vocabulary: Number of word pieces V.
        shape: Sizes ``layers``, ``width``, ``heads``, ``inner_width`` and ``positions``.
        seed: Seed of the weights.
        near: Whether attention prefers near tokens from the start, instead of learning it in
            thousands of steps: positions are sinusoids (Vaswani et al., 2017), whose dot products
            fall with distance, and keys start with the weights of queries (similar to mimetic
            initialization, Trockman and Kolter, 2023), so that similar tokens match.
    """
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=vocabulary,
        n_layers=shape["layers"],
        dim=shape["width"],
        n_heads=shape["heads"],
        hidden_dim=shape["inner_width"],
        max_position_embeddings=shape["positions"],
    )
    config._attn_implementation = "eager"  # trains short sequences faster on a CPU
    model = MaskedLanguageModel(DistilBertForMaskedLM(config)).eval()
    if near:
        _prefer_near(model)
    return model


@torch.no_grad()
def _prefer_near(model: MaskedLanguageModel) -> None:
    """Draw queries, copy them to keys, and make the positions sinusoids, in place."""
    encoder = model.inner.distilbert
    for number in range(encoder.config.n_layers):
        query, key = (
            encoder.get_parameter(f"transformer.layer.{number}.attention.{name}.weight")
            for name in ("q_lin", "k_lin")
        )
        nn.init.normal_(query, std=query.shape[1] ** -0.5)
        key.copy_(query)
    table = encoder.get_parameter("embeddings.position_embeddings.weight")
    count, width = table.shape
    half = (width + 1) // 2
    frequencies = _SLOWEST ** (torch.arange(half) / half)
    angles = torch.arange(count)[:, None] * frequencies  # in radians
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
    table.copy_(waves * _POSITION_SCALE)


def use_attention_of(model: MaskedLanguageModel, device: torch.device) -> None:
    """Let a model attend as is fastest on a device; the numbers differ by rounding alone.

    On a GPU attention is fused; on a CPU short sequences train faster with plain products.
    """
    model.inner.set_attn_implementation("eager" if device.type == "cpu" else "sdpa")


def load_model(folder: Path, seed: int) -> tuple[MaskedLanguageModel, bool]:
    """Return the model in ``folder`` in float32, and whether its head has new random weights.

    Torch's generator is seeded.

    Args:
        folder: Folder of a DistilBERT encoder; many are published without the head.
        seed: Seed of the head's weights if the folder has none.

    Raises:
        EncoderError: If the architecture is not DistilBERT, or the encoder cannot be loaded or
            lacks weights.
    """
    info = read_encoder_info(folder)
    if info.architecture != "distilbert":
        raise EncoderError(
            f"{folder}: must be a distilbert, which is what pretraining trains, got a "
            f"{info.architecture}"
        )
    torch.manual_seed(seed)
    inner, absent = load_pretrained(DistilBertForMaskedLM, info, attn_implementation="eager")
    require_weights(info, [name for name in absent if not name.startswith(_HEAD)])
    return MaskedLanguageModel(inner).eval(), bool(absent)


def save_model(folder: Path, model: MaskedLanguageModel) -> None:
    """Write config and weights, with the head, into ``folder`` in float16; training can resume."""
    disable_progress_bar()
    deepcopy(model.inner).half().save_pretrained(folder)
    (folder / WEIGHTS).chmod(0o644)  # the library lets only the owner read it
