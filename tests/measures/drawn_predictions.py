"""Predictions of drawn models: from logits, at 0.5, and with one of their seeds alone."""

from dataclasses import replace

import numpy as np
from scipy.special import expit

from measures.intervals import Predictions


def drawn_predictions(labels: np.ndarray, entities: np.ndarray, logits: np.ndarray) -> Predictions:
    """Return predictions at 0.5 of models with these logits, (S, N), with the seeds 0 to S - 1."""
    return Predictions(
        labels=labels,
        entities=entities,
        probabilities=expit(logits),
        seeds=np.arange(len(logits)),
        thresholds=np.full(len(logits), 0.5),
    )


def first_seed(found: Predictions, *, fixed: bool = False) -> Predictions:
    """Return the first seed's predictions; ``fixed`` as if nothing was random in the model."""
    return replace(
        found,
        probabilities=found.probabilities[:1],
        seeds=found.seeds[:1],
        thresholds=found.thresholds[:1],
        fixed=fixed,
    )
