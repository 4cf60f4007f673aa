"""Untrained classifiers on tiny encoders, saved with a card like that of a trial."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from measures.overlap import FEATURES
from models.checkpoint import save_classifier
from models.classifier import Classifier
from models.encoder import load_encoder
from models.encoder_files import read_encoder_info
from models.heads import FeatureBranch, build_head

HEAD = 8


def save(
    folder: Path,
    encoder: Path,
    *,
    seed: int = 0,
    depth: int = 2,
    both_orders: bool = False,
    head: str = "cross_attention",
    branch: bool = False,
    separate: bool = False,
    cosine: bool = True,
    layer_mean: bool = False,
    data: str = "d1",
    max_tokens: int | None = None,
    metrics: Mapping[str, float] = MappingProxyType({}),
) -> Path:
    """Write an untrained classifier with a card like that of a trial; return the folder.

    The branch of one that encodes texts separately is for their cosine as well, if ``cosine``.
    """
    torch.manual_seed(seed)
    size = FEATURES + (separate and cosine)
    encoding = "separate" if separate else "pair"
    lower, upper = load_encoder(encoder, depth, encoding=encoding, layer_mean=layer_mean)
    info = read_encoder_info(encoder)
    arguments = {"name": head, "width": info.width, "head_width": HEAD, "dropout": 0.5}
    features = FeatureBranch(torch.zeros(size), torch.ones(size), HEAD, 2, 0.5)
    model = Classifier(
        lower if depth else None,
        upper,
        build_head(**arguments),
        branch=features if branch else None,
    )
    steps = {"html_quotes": True, "unicode": True, "bullets": True, "spaces": True}
    card = {
        "encoder": {"name": "tiny", "fingerprint": info.fingerprint, "depth": depth},
        "head": arguments,
        "precision": "float32",
        "data": {"fingerprint": data, "cleaning": steps, "max_tokens": max_tokens},
        "trial": {
            "both_orders": both_orders,
            "layer_mean": layer_mean,
            **({"encoding": "separate", "cosine_feature": cosine} if separate else {}),
        },
        "metrics": {"threshold": 0.4, **metrics},
    }
    save_classifier(folder, model, card)
    return folder
