"""Architecture, sizes and fingerprint of the encoder in a folder, read without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
FILES = (CONFIG, WEIGHTS, TOKENIZER)
ARCHITECTURES = ("bert", "distilbert")


class EncoderError(ValueError):
    """No encoder can be loaded from a folder; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderInfo:
    """Architecture and sizes of an encoder, as plans, heads and caches need them.

    Attributes:
        folder: Folder with its files.
        architecture: Name of the architecture, one of ``ARCHITECTURES``.
        layers: Number of transformer layers.
        width: Width D of the states.
        inner_width: Width of the feed-forward layers' hidden states.
        max_tokens: Largest number of tokens in a sequence, with special tokens.
        vocabulary: Number of word pieces.
        fingerprint: Hash of the three files, 16 hexadecimal digits.
    """

    folder: Path
    architecture: str
    layers: int
    width: int
    inner_width: int
    max_tokens: int
    vocabulary: int
    fingerprint: str

    @property
    def layer_parameters(self) -> int:
        """Return the number of weights in one layer's matrices: attention and feed-forward."""
        return 4 * self.width**2 + 2 * self.width * self.inner_width


def read_encoder_info(folder: Path) -> EncoderInfo:
    """Return architecture, sizes and fingerprint of the encoder in ``folder``.

    Raises:
        EncoderError: If a file is missing or broken, or the architecture is not supported.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise EncoderError(
            f"{folder}: no encoder here, {', '.join(missing)} missing; an encoder folder has "
            f"{', '.join(FILES)}, as written by save_pretrained() of a model and of its fast "
            "tokenizer"
        )
    config = _read_config(folder / CONFIG)
    architecture = config.get("model_type")
    if architecture not in ARCHITECTURES:
        raise EncoderError(
            f"{folder / CONFIG}: model_type: must be one of {', '.join(ARCHITECTURES)}, "
            f"got {architecture!r}"
        )
    sizes = _sizes(config, folder / CONFIG)
    return EncoderInfo(
        folder=folder, architecture=architecture, fingerprint=_fingerprint(folder), **sizes
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        raise EncoderError(f"{path}: is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise EncoderError(f"{path}: must hold a JSON object")
    return config


def _sizes(config: dict[str, Any], path: Path) -> dict[str, int]:
    names = {
        "layers": ("n_layers", "num_hidden_layers"),
        "width": ("dim", "hidden_size"),
        "inner_width": ("hidden_dim", "intermediate_size"),
        "max_tokens": ("max_position_embeddings", "max_position_embeddings"),
        "vocabulary": ("vocab_size", "vocab_size"),
    }
    sizes = {}
    for field, (distilbert, bert) in names.items():
        key = distilbert if config["model_type"] == "distilbert" else bert
        value = config.get(key)
        if not isinstance(value, int) or value < 1:
            raise EncoderError(f"{path}: {key}: must be a whole number above 0, got {value!r}")
        sizes[field] = value
    return sizes


def _fingerprint(folder: Path) -> str:
    """Return a hash of the three files' content, which takes about 0.2 seconds for 265 MB."""
    digest = hashlib.sha256()
    for name in FILES:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def frozen_layers(freezing: str | int, layers: int) -> int:
    """Return the number of lower layers that ``freezing`` keeps frozen.

    ``some`` is two thirds, rounded to the nearest whole number, with at least one layer frozen and
    one trained. With 0 the embeddings are trained too; otherwise they are frozen.

    Args:
        freezing: Mode ``all``, ``some`` or ``none``, or a number of layers.
        layers: Number of layers of the encoder.

    Raises:
        EncoderError: If ``freezing`` is more than ``layers``, or ``some`` of a single layer.
    """
    if freezing == "some":
        if layers < 2:
            raise EncoderError("freezing: some needs an encoder of at least 2 layers, this has 1")
        return min(max(round(layers * 2 / 3), 1), layers - 1)
    depth = layers if freezing == "all" else 0 if freezing == "none" else freezing
    if not isinstance(depth, int) or not 0 <= depth <= layers:
        raise EncoderError(f"freezing: must be at most the encoder's {layers} layers, got {depth}")
    return depth
