"""Weights of an encoder's folder, read by transformers: safetensors, or a pickle of tensors."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Iterable
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from measures.passwords import first_line
from models.encoder_files import EncoderError, EncoderInfo
from models.families import FAMILIES
from models.weight_files import describe_mismatch


def load_pretrained(
    kind: Any,  # noqa: ANN401 - a class of transformers, which is not imported here
    info: EncoderInfo,
    **options: object,
) -> tuple[Any, list[str]]:
    """Return the model in float32, and the names of its weights that the files lack.

    Args:
        kind: Class with ``from_pretrained``.
        info: Encoder whose files are read; no code of theirs is run.
        options: Further options of ``from_pretrained``.

    Raises:
        EncoderError: If the files cannot be read, hold more than tensors or more layers than
            ``config.json`` says, or their weights have other sizes or are not finite.
    """
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()  # it warns of unused weights of a head; missing ones are an error
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # of a damaged file
            model, report = kind.from_pretrained(
                info.folder,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                trust_remote_code=False,
                use_safetensors=not info.pickled,
                weights_only=True,
                ignore_mismatched_sizes=True,  # told below, in fewer words
                **options,
            )
    except pickle.UnpicklingError as error:
        raise EncoderError(
            f"{info.folder / info.weights}: must hold tensors alone: a pickle of anything else "
            "could run code, so it is not read"
        ) from error
    except Exception as error:  # whatever a damaged file or config makes fail in the library
        told = isinstance(error, (OSError, RuntimeError, SafetensorError, ValueError))
        reason = first_line(error) if told else f"{type(error).__name__}: {first_line(error)}"
        raise EncoderError(f"{info.folder}: the encoder cannot be loaded: {reason}") from error
    _check_layers(info, report["unexpected_keys"])
    _check_weights(info, model, report["mismatched_keys"])
    return model, sorted(report["missing_keys"])


def _check_layers(info: EncoderInfo, unexpected: Iterable[str]) -> None:
    """Raise an ``EncoderError`` if the files have more layers than ``config.json`` says.

    Args:
        info: Encoder whose files were read.
        unexpected: Names of weights that the model has no place for.
    """
    family = FAMILIES[info.architecture]
    layer = re.compile(rf"(?:^|\.){re.escape(family.layers)}\.(\d+)\.")
    held = [1 + int(found[1]) for name in unexpected if (found := layer.search(name))]
    if held:
        raise EncoderError(
            f"{info.folder}: config.json says {info.layers} layers ({family.sizes['layers']}), "
            f"and {info.weights} holds {max(held)}: correct the one, or save the lower layers "
            "alone in the other"
        )


def _check_weights(info: EncoderInfo, model: nn.Module, mismatched: Iterable[Any]) -> None:
    """Raise an ``EncoderError`` if a weight has another size than its config says, or no number.

    Args:
        info: Encoder whose files were read.
        model: Model with the weights.
        mismatched: Names of weights with the sizes in the file and in the model.
    """
    for name, found, expected in sorted(mismatched):
        told = describe_mismatch(name, found, expected)
        raise EncoderError(f"{info.folder}: the encoder cannot be loaded: {told}")
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise EncoderError(
                f"{info.folder / info.weights}: {name} has a number that is not finite, as in "
                "weights that were too large for float16"
            )


def require_weights(info: EncoderInfo, absent: list[str]) -> None:
    """Raise an ``EncoderError`` if a weight is missing, since it would be drawn at random."""
    if absent:
        raise EncoderError(
            f"{info.folder / info.weights}: {len(absent)} weights missing, the first is "
            f"{absent[0]}"
        )
