"""A DistilBERT encoder under the head that guesses masked word pieces: build, load, train, save.

Shapes: B sequences in the batch, T tokens per sequence, M masked positions among all of them,
D encoder width, V word pieces of the vocabulary.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import DistilBertConfig, DistilBertForMaskedLM
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from measures.passwords import first_line
from models.encoder_files import WEIGHTS, EncoderError, read_encoder_info

_ROWS = 128  # masked positions go through the head in multiples of this
# sinusoids of positions: radians a token of the slowest (the fastest has 1), and their height,
# which makes them twice as long as the embeddings of words
_SLOWEST, _POSITION_SCALE = 0.01, 0.04 * 2**0.5
_HEAD = ("vocab_transform", "vocab_layer_norm", "vocab_projector")  # what comes after the encoder


class MaskedLanguageModel(nn.Module):
    """An encoder whose states at masked positions, and there alone, become logits.

    Sequences have no padding, so that no mask is needed; dropout is off (use ``eval`` mode), as
    a small encoder on this much text underfits.

    Args:
        inner: The encoder with its head; input and output embeddings are one matrix.
    """

    def __init__(self, inner: DistilBertForMaskedLM) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: Tensor, starts: Tensor, chosen: Tensor) -> Tensor:
        """Return logits of the word pieces at the chosen positions, (M, V).

        Args:
            tokens: Ids after masking, int (B, T).
            starts: Position of each sequence's first token, int (B,): all positions get trained
                though sequences are shorter than the encoder takes.
            chosen: True at M positions, bool (B, T).
        """
        positions = starts[:, None] + torch.arange(tokens.shape[1], device=tokens.device)  # (B, T)
        states = self.inner.distilbert(tokens, position_ids=positions).last_hidden_state
        positions = chosen.flatten().nonzero().squeeze(-1)  # (M,)
        count = len(positions)
        # products are prepared, and kept, for each number of rows: a few numbers are enough
        positions = nn.functional.pad(positions, (0, -count % _ROWS))
        masked = self.inner.vocab_transform(states.flatten(0, 1)[positions])  # (M + padding, D)
        masked = self.inner.vocab_layer_norm(self.inner.activation(masked))
        return self.inner.vocab_projector(masked)[:count]


class _SummedLoss(torch.autograd.Function):
    """Cross-entropy whose gradient is made in the forward pass, in place of the logits' copy.

    A vocabulary's worth of numbers a position is most of what the head reads and writes: this
    goes over them once where softmax, its loss and their gradients go over them five times.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:  # noqa: ANN401 - torch's
        """Return the loss in nats, summed; keep its gradient by the logits (M, V)."""
        work = logits.float()
        rows = torch.arange(len(targets), device=targets.device)
        aimed = work[rows, targets]
        normaliser = work.logsumexp(dim=-1)  # (M,)
        gradient = work.sub_(normaliser[:, None]).exp_()
        gradient[rows, targets] -= 1
        ctx.save_for_backward(gradient.to(logits.dtype))
        return (normaliser - aimed).sum()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None


def summed_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy in nats, summed over the M positions.

    Args:
        logits: (M, V); overwritten if they are float32.
        targets: Ids of the word pieces that were there, int (M,).
    """
    return _SummedLoss.apply(logits, targets)


def build_model(
    vocabulary: int, shape: dict[str, int], seed: int, *, near: bool = True
) -> MaskedLanguageModel:
    """Return a model with random weights, the same for a seed.

    Args:
        vocabulary: V.
        shape: ``layers``, ``width``, ``heads``, ``inner_width`` and ``positions``.
        seed: Of the weights.
        near: Whether attention begins with a preference for near tokens, which it would spend
            its first thousands of steps on: positions are sinusoids (Vaswani et al., 2017), whose
            products fall with distance, and keys have the weights of queries (after Trockman and
            Kolter, 2023: mimetic initialization), so that like finds like.
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


def load_model(folder: Path, seed: int) -> tuple[MaskedLanguageModel, bool]:
    """Return the model in ``folder`` in float32, and whether its head had to be drawn anew.

    Args:
        folder: Of a DistilBERT encoder; many are published without the head.
        seed: Of the head's weights if there are none.

    Raises:
        EncoderError: If it is of another architecture, or weights of the encoder are missing.
    """
    info = read_encoder_info(folder)
    if info.architecture != "distilbert":
        raise EncoderError(
            f"{folder}: must be a distilbert, which this trains, got a {info.architecture}"
        )
    disable_progress_bar()
    set_verbosity_error()  # a missing head is told by the caller
    torch.manual_seed(seed)
    try:
        inner, report = DistilBertForMaskedLM.from_pretrained(  # pyright: ignore[reportGeneralTypeIssues] - two with output_loading_info
            folder,
            attn_implementation="eager",
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            use_safetensors=True,
        )
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise EncoderError(
            f"{folder}: the encoder cannot be loaded: {first_line(error)}"
        ) from error
    absent = sorted(report["missing_keys"])
    of_encoder = [name for name in absent if not name.startswith(_HEAD)]
    if of_encoder:
        raise EncoderError(
            f"{folder}/model.safetensors: {len(of_encoder)} weights missing, the first is "
            f"{of_encoder[0]}"
        )
    return MaskedLanguageModel(inner).eval(), bool(absent)


def save_model(folder: Path, model: MaskedLanguageModel) -> None:
    """Write config and weights into ``folder``, in float16: the head too, to go on from there."""
    disable_progress_bar()
    deepcopy(model.inner).half().save_pretrained(folder)
    (folder / WEIGHTS).chmod(0o644)  # the library leaves it to its owner alone
