"""How much text fits a pass of pretraining: a CPU's caches, or a share of a GPU's free memory."""

from __future__ import annotations

import torch

from models.masked_language_model import MaskedLanguageModel

_TOKENS_ON_A_CPU = 4096  # as many as its caches hold (measured)


def fitting_sequences(
    model: MaskedLanguageModel, length: int, mask_fraction: float, device: torch.device
) -> int:
    """Return the number of sequences in a pass: at least one, on a GPU as many as memory allows.

    There it is a power of two, so that a resumed training most often has the same parts.

    Args:
        model: Model, on the device.
        length: Tokens per sequence.
        mask_fraction: Share of the tokens that are masked.
        device: Device to train on.
    """
    if device.type == "cpu":
        return max(_TOKENS_ON_A_CPU // length, 1)
    torch.cuda.empty_cache()  # what a phase before this one left counts as free
    free_bytes, _ = torch.cuda.mem_get_info(device)
    tokens = tokens_that_fit(free_bytes, *sizes_of(model), mask_fraction)
    return 1 << max(tokens // length, 1).bit_length() - 1


def sizes_of(model: MaskedLanguageModel) -> tuple[dict[str, int], int]:
    """Return a model's sizes, as ``build_model`` takes them, and the size of its vocabulary."""
    config = model.inner.config
    names = {
        "layers": "n_layers",
        "width": "dim",
        "heads": "n_heads",
        "inner_width": "hidden_dim",
        "positions": "max_position_embeddings",
    }
    return {name: getattr(config, own) for name, own in names.items()}, config.vocab_size


def tokens_that_fit(
    free_bytes: int, shape: dict[str, int], vocabulary: int, mask_fraction: float
) -> int:
    """Return how many tokens can be trained in one pass with half of a GPU's free memory.

    Gradients and both moments of AdamW, which come beside the weights, are taken off before. A
    layer keeps 11 vectors of its width and 2 of its inner width for the backward pass (attention
    is fused), the head the logits of the masked tokens three times: all are counted in float32,
    of which half precision takes less.

    Args:
        free_bytes: Memory of the GPU that nothing uses, with the weights there.
        shape: Sizes ``layers``, ``width``, ``inner_width`` and ``positions``.
        vocabulary: Number of word pieces V.
        mask_fraction: Share of the tokens that are masked.
    """
    width, inner, layers = shape["width"], shape["inner_width"], shape["layers"]
    weights = (vocabulary + shape["positions"] + layers * (4 * width + 2 * inner)) * width
    token = 4 * (layers * (11 * width + 2 * inner) + 3 * mask_fraction * vocabulary)
    return max(int((free_bytes - 3 * 4 * weights) / 2 / token), 0)
