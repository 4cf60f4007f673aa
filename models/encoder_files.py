"""What an encoder's folder holds, read without torch: architecture, sizes, fingerprint."""

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
    """A folder from which no encoder can be loaded; the message says what is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderInfo:
    """The sizes that plans, heads and caches need; ``fingerprint`` changes with any file."""

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
        """Return the weights in the matrices of one layer: attention (4 D²), feed-forward."""
        return 4 * self.width**2 + 2 * self.width * self.inner_width


def read_encoder_info(folder: Path) -> EncoderInfo:
    """Return the sizes of the encoder in ``folder``.

    Raises:
        EncoderError: If a file is missing or broken, or the architecture is not supported.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise EncoderError(
            f"{folder}: no encoder here, {', '.join(missing)} missing; an encoder folder has "
            f"{', '.join(FILES)}, as save_pretrained() of a model and of its fast tokenizer write"
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
    """Return a hash of the three files' content; 265 MB take about 0.2 seconds."""
    digest = hashlib.sha256()
    for name in FILES:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def frozen_layers(freezing: str | int, layers: int) -> int:
    """Return how many lower layers ``freezing`` keeps frozen, of ``layers``.

    ``some`` is two thirds, rounded to the nearest whole number but leaving at least one layer
    on either side. 0 trains the embeddings too: they freeze with the first layer.

    Raises:
        EncoderError: If ``freezing`` asks for more layers than there are, or for some of one.
    """
    if freezing == "some":
        if layers < 2:
            raise EncoderError("freezing: some needs an encoder of at least 2 layers, this has 1")
        return min(max(round(layers * 2 / 3), 1), layers - 1)
    depth = layers if freezing == "all" else 0 if freezing == "none" else freezing
    if not isinstance(depth, int) or not 0 <= depth <= layers:
        raise EncoderError(f"freezing: must be at most the encoder's {layers} layers, got {depth}")
    return depth
