"""The objective that trials are ranked by, and the flags of scores that cannot be trusted.

No other module of the tuner decides either. The names are those of the log, of saved results and
of states on disk, so they stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

EPOCH_F1 = "f1_at_threshold"  # in an epoch's validation scores: F1 at the best threshold
VALIDATION_F1 = "val_f1_at_threshold"  # in a trial's final metrics: that of its best epoch
OBJECTIVE = "best_val_f1_at_threshold"  # reported to Ray Tune: the best of all epochs so far
SEED_MEAN = "objective"  # in the final metrics of a search trial: the mean over its seeds
FLAGS = ("collapsed", "diverged")


def is_collapsed(positive_rate: float) -> bool:
    """Return whether one class is predicted for all pairs.

    Args:
        positive_rate: Share of the validation pairs that are predicted positive at 0.5.
    """
    return positive_rate in (0.0, 1.0)


def flags_of(metrics: Mapping[str, float]) -> list[str]:
    """Return the reasons not to trust a trial's scores; an empty list for a sound trial.

    A ``collapsed`` classifier predicts one class for every validation pair at 0.5; one that
    ``diverged`` had a loss or logits that were not finite.
    """
    return [flag for flag in FLAGS if metrics.get(flag)]


def is_sound(metrics: Mapping[str, float]) -> bool:
    """Return whether a trial has no flag."""
    return not flags_of(metrics)


def search_value(metrics: Mapping[str, float], floor: float) -> float:
    """Return the value of a trial in a search: its validation F1, at least the floor.

    The final metrics of a search trial hold the value already: the mean over its seeds, of which
    some may be flagged.

    Args:
        metrics: Final metrics of the trial.
        floor: Validation F1 of calling every pair a paraphrase.
    """
    if SEED_MEAN in metrics:
        return metrics[SEED_MEAN]
    return floored_value(metrics[VALIDATION_F1], floor, sound=is_sound(metrics))


def floored_value(score: float, floor: float, *, sound: bool) -> float:
    """Return the score, but at least the floor; the floor alone if the score is not sound.

    Args:
        score: Validation F1 at the best threshold.
        floor: Validation F1 of calling every pair a paraphrase.
        sound: Whether neither flag is set.
    """
    return max(score, floor) if sound else floor
