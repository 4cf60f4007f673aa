"""What a classifier says of a split, and how good that is.

Shapes: N pairs of a split, B rows in a batch, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from models.batches import sorted_batches, to_probabilities
from models.classifier import Classifier
from tuning.loaded_split import LoadedSplit
from tuning.scores import area_under_curve, best_f1_threshold, log_loss, score

Forward = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # inputs, segments, features
_TOKENS_PER_BATCH = 4096


@torch.no_grad()
def predict(model: Classifier, split: LoadedSplit) -> np.ndarray:
    """Return logits, float32 (N, C): the mean of both orders where the split has both."""
    model.eval()
    return predict_with(model, split)


def predict_with(forward: Forward, split: LoadedSplit) -> np.ndarray:
    """Return logits, float32 (..., N, C), of what gives logits (..., B, C) for a batch."""
    rows = split.pairs * split.orders
    outputs, places = [], []
    for chosen in sorted_batches(split.reader.lengths[:rows], _TOKENS_PER_BATCH):
        batch = split.reader.read(chosen)
        outputs.append(forward(batch.inputs, batch.segments, batch.features))
        places.append(batch.rows)
    logits = torch.cat(outputs, dim=-2)[..., torch.cat(places).argsort(), :]
    return logits.unflatten(-2, (split.orders, split.pairs)).mean(dim=-3).cpu().numpy()


def validate(model: Classifier, split: LoadedSplit) -> tuple[float, dict[str, float]]:
    """Return loss and scores of the model as it is; its logits must be finite."""
    return score_logits(split.labels, predict(model, split))


def score_logits(labels: np.ndarray, logits: np.ndarray) -> tuple[float, dict[str, float]]:
    """Return the loss in nats per pair, and the scores as in ``EpochResult``."""
    probabilities = to_probabilities(logits)
    threshold, f1 = best_f1_threshold(labels, probabilities)
    return log_loss(labels, logits), {
        **score(labels, probabilities, 0.5),
        "auc": area_under_curve(labels, probabilities),
        "threshold": threshold,
        "f1_at_threshold": f1,
    }
