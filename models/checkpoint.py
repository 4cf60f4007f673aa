"""Files of a trained classifier: weights as safetensors, the same as a pickle, and a card.

The frozen layers are not in these files: the card names the encoder by its fingerprint, and the
encoder's own files are kept once, beside all classifiers that were trained on it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from models.classifier import Classifier
from models.encoder import load_encoder
from models.encoder_files import EncoderError, read_encoder_info
from models.heads import FeatureBranch, build_head
from models.number_formats import read_precision
from models.precision import choose_attention, choose_device, use_fast_products
from models.tokens import Encoding
from models.weight_files import find_pointer

WEIGHTS, EXPORT, CARD = "classifier.safetensors", "classifier.pt", "classifier.json"
_FORMAT = 1
# the errors that a card raises if it is valid JSON with other content than was saved
_UNREADABLE = (
    AttributeError, EncoderError, KeyError, RuntimeError, SafetensorError, TypeError, ValueError
)  # fmt: skip


class CheckpointError(ValueError):
    """No classifier can be loaded from a folder; the message says why."""


class AbsentEncoderError(CheckpointError):
    """The encoder of a saved classifier was not found.

    Args:
        folder: Folder of the classifier.
        encoder: Part of the classifier's card on the encoder.
    """

    def __init__(self, folder: Path, encoder: dict[str, Any]) -> None:
        name = f" ({encoder['name']})" if encoder.get("name") else ""
        command = ["mlflow", "artifacts", "download", "--artifact-path", "encoder"]
        command += ["--dst-path", str(folder), "--run-id"]
        super().__init__(
            f"{folder}: its encoder {encoder['fingerprint']}{name} is in no folder 'encoder' in "
            "it, beside it or above it; if MLflow has it, this fetches it from the run of the "
            f"launch: {shlex.join(command)} ID"
        )
        self.fingerprint: str = encoder["fingerprint"]


def save_classifier(folder: Path, model: Classifier, card: dict[str, Any]) -> None:
    """Write the trained weights and their card into ``folder``, which is made if absent.

    Args:
        folder: Folder for the safetensors file, the pickle export and the card.
        model: Classifier on any device.
        card: JSON values; ``encoder`` (with ``fingerprint`` and ``depth``), ``head`` (the
            arguments of ``build_head``) and ``precision`` are needed to load the classifier.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: weight.detach().cpu().contiguous() for name, weight in model.trained_state().items()
    }
    save_file(weights, folder / WEIGHTS)
    torch.save(weights, folder / EXPORT)
    sums = {name: _sha256(folder / name) for name in (WEIGHTS, EXPORT)}
    text = json.dumps({"format": _FORMAT, "sha256": sums, **card}, indent=2)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of the classifier in ``folder``, after comparing all files' checksums.

    The pickle export may be absent.

    Raises:
        CheckpointError: If the card is missing, cannot be read, has another format or names no
            encoder, or another file is missing or was altered.
    """
    try:
        card = json.loads((folder / CARD).read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / CARD}: cannot be read: {error}") from error
    if not isinstance(card, dict) or card.get("format") != _FORMAT:
        raise CheckpointError(f"{folder / CARD}: must be a classifier's card of format {_FORMAT}")
    encoder = card.get("encoder")
    if not isinstance(encoder, dict) or not isinstance(encoder.get("fingerprint"), str):
        raise CheckpointError(f"{folder / CARD}: encoder: must have a fingerprint, got {encoder}")
    sums = card.get("sha256")
    if not isinstance(sums, dict) or set(sums) != {WEIGHTS, EXPORT}:
        raise CheckpointError(f"{folder / CARD}: sha256: must name {WEIGHTS} and {EXPORT}")
    for name, expected in sums.items():
        if name == EXPORT and not (folder / name).exists():
            continue
        is_file = (folder / name).is_file()
        found = _sha256(folder / name) if is_file else "no file"
        if found != expected:
            pointer = find_pointer([folder / name]) if is_file else None
            rule = f"{folder / name}: sha256 must be {expected}, got {found}"
            raise CheckpointError(pointer or rule)
    return card


def find_encoder(folder: Path, others: Iterable[Path] = ()) -> Path:
    """Return the folder of the encoder that the classifier in ``folder`` was trained on.

    It is looked for in the folders called ``encoder`` in ``folder``, beside it, and beside each
    folder above it.

    Args:
        folder: Folder of a saved classifier.
        others: Further folders that may hold the encoder.

    Raises:
        CheckpointError: If the classifier cannot be read.
        AbsentEncoderError: If its encoder is in none of them.
    """
    wanted = read_card(folder)["encoder"]
    own = folder.absolute()
    for candidate in (*(each / "encoder" for each in (own, *own.parents)), *others):
        try:
            if read_encoder_info(candidate).fingerprint == wanted["fingerprint"]:
                return candidate
        except (EncoderError, OSError):  # it may be of another program
            continue
    raise AbsentEncoderError(folder, wanted)


def load_classifier(folder: Path, encoder: Path, *, from_export: bool = False) -> Classifier:
    """Return the classifier saved in ``folder``, with its frozen layers, in eval mode.

    From then on this process multiplies float32 as ``use_fast_products`` says.

    Args:
        folder: Folder of a saved classifier.
        encoder: Folder of the encoder that it was trained on.
        from_export: Whether to read the pickle export (tensors only), not the safetensors file.

    Raises:
        CheckpointError: If a file is missing or altered, or the encoder is not the same.
    """
    card = read_card(folder)
    use_fast_products()
    try:
        found = read_encoder_info(encoder).fingerprint
        expected = card["encoder"]["fingerprint"]
        if found != expected:
            raise CheckpointError(f"{encoder}: must be encoder {expected}, got {found}")
        depth = card["encoder"]["depth"]
        attention = choose_attention(choose_device().type)
        lower, upper = load_encoder(
            encoder,
            depth,
            attention=attention,
            encoding=encoding_of(card),
            layer_mean=has_layer_mean(card),
        )
        precision = read_precision(card["precision"])
        weights = _read_weights(folder, from_export)
        model = Classifier(
            lower if depth else None,
            upper,
            build_head(**card["head"]),
            branch=_build_branch(weights, card["head"]),
            precision=getattr(torch, precision.trained),
            frozen_precision=getattr(torch, precision.frozen),
        )
        model.load_state_dict(model.state_dict() | weights)
    except CheckpointError:
        raise
    except _UNREADABLE as error:
        raise CheckpointError(f"{folder}: cannot be loaded: {error}") from error
    return model.eval()


def encoding_of(card: dict[str, Any]) -> Encoding:
    """Return how the pairs of a saved classifier are encoded; older cards know one way alone."""
    return card.get("trial", {}).get("encoding", "pair")


def has_layer_mean(card: dict[str, Any]) -> bool:
    """Return whether a saved classifier reads the mean of all layers, if it trained none."""
    return card.get("trial", {}).get("layer_mean", False)


def _build_branch(weights: dict[str, torch.Tensor], head: dict[str, Any]) -> nn.Module | None:
    """Return a branch of the saved size; None if no branch was saved."""
    if "branch.mean" not in weights:
        return None
    width, classes = head["head_width"], weights["branch.classify.bias"].numel()
    mean, scale = weights["branch.mean"], weights["branch.scale"]
    return FeatureBranch(mean, scale, width, classes, head["dropout"])


def _read_weights(folder: Path, from_export: bool) -> dict[str, torch.Tensor]:
    if from_export and not (folder / EXPORT).is_file():
        raise CheckpointError(f"{folder / EXPORT}: is missing; {WEIGHTS} has the same weights")
    if from_export:
        return torch.load(folder / EXPORT, weights_only=True, map_location="cpu")
    return load_file(folder / WEIGHTS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
