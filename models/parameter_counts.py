"""Numbers of weights: of an encoder, from its files alone, and of the parts a trial trains."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from models.encoder_files import EncoderInfo
from models.families import FAMILIES
from models.weight_files import read_shapes

if TYPE_CHECKING:
    from models.classifier import Classifier


def encoder_parameters(encoder: EncoderInfo) -> int | None:
    """Return the number of weights in the embeddings and layers; None if they are a pickle.

    Heads and pooling layers, which the files may have too, are not counted.
    """
    if encoder.pickled:
        return None
    family = FAMILIES[encoder.architecture]
    paths = ["embeddings", family.layers, family.shared, family.joined and family.joined[0]]
    roots = "|".join({path.split(".")[0] for path in paths if path})
    part = re.compile(rf"(?:\w+\.)?(?:{roots})\.(?!position_ids$)")  # which are no weights
    files = (encoder.folder / name for name in encoder.files if name.endswith(".safetensors"))
    return sum(math.prod(shape) for name, shape in read_shapes(files) if part.match(name))


def trained_parameters(model: Classifier) -> dict[str, int]:
    """Return how many weights the head has, with its branch, and how many are trained in all."""
    head = sum(weight.numel() for weight in model.head_parameters())
    encoder = sum(weight.numel() for weight in model.encoder_parameters())
    return {"head_parameters": head, "trained_parameters": head + encoder}
