"""Weights of an encoder's folder, read by transformers: safetensors, or a pickle of tensors."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from measures.passwords import first_line
from models.encoder_files import EncoderError, EncoderInfo
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
        EncoderError: If the files cannot be read, hold more than tensors, or their weights have
            other sizes than ``config.json`` says or are not finite.
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
    _check_weights(info, model, report["mismatched_keys"])
    return model, sorted(report["missing_keys"])


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
