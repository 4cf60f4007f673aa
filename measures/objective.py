"""What trials are ranked by, and when a score may be believed: the one place that decides.

The names are those of the log, of saved results and of states on disk, so they stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

OBJECTIVE = "best_val_f1_at_threshold"  # what Ray Tune ranks by: the best of all epochs so far
SEED_MEAN = "objective"  # what a trial of a search is worth: the mean over its seeds
VALIDATION_F1 = "val_f1_at_threshold"  # of a trial's best epoch, in its final metrics
FLAGS = ("collapsed", "diverged")


def flags_of(metrics: Mapping[str, float]) -> list[str]:
    """Return why a trial's scores are not to be believed; nothing for a sound one.

    ``collapsed`` predicts one class for every validation pair at 0.5, ``diverged`` lost its
    weights to values that are not finite.
    """
    return [flag for flag in FLAGS if metrics.get(flag)]


def is_sound(metrics: Mapping[str, float]) -> bool:
    """Return whether a trial has no flag."""
    return not flags_of(metrics)


def search_value(metrics: Mapping[str, float], floor: float) -> float:
    """Return what a trial is worth to a search: a flagged one as much as "all positive".

    A trial of a search has said it already: the mean over its seeds, of which some may be flagged.

    Args:
        metrics: Final metrics of the trial.
        floor: Validation F1 of calling every pair a paraphrase.
    """
    if SEED_MEAN in metrics:
        return metrics[SEED_MEAN]
    return max(metrics[VALIDATION_F1], floor) if is_sound(metrics) else floor
