"""The objective that trials are ranked by, and the flags of scores that cannot be trusted.

No other module of the tuner decides either. The names are those of the log, of saved results and
of states on disk, so they stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ObjectiveName = Literal["auc", "f1"]
ThresholdRule = Literal["steady", "maximum"]  # of metrics.choose_threshold
EPOCH_LOSS = "target_loss"  # in an epoch's validation scores: what its best epoch is chosen by
EPOCH_F1 = "f1_at_threshold"  # in an epoch's validation scores: F1 at the chosen threshold
VALIDATION_F1 = "val_f1_at_threshold"  # in a trial's final metrics: that of its best epoch
OBJECTIVE = "best_val_f1_at_threshold"  # reported to Ray Tune: that of the best epoch so far
RANKED_BY: dict[ObjectiveName, str] = {"auc": "val_auc", "f1": VALIDATION_F1}  # by objective
RANKED_WORDS: dict[ObjectiveName, str] = {
    "auc": "validation AUC",
    "f1": "validation F1 at its threshold",
}
OBJECTIVE_TAG = "objective"  # of a search trial: the name of its search's objective
SEED_MEAN = "objective"  # in the final metrics of a search trial: the mean over its seeds
# a metric of 0 or 1, and the words for it
FLAGS = {
    "collapsed": "collapsed",
    "diverged": "diverged",
    "no_positive": "no positive at 0.5",
    "all_positive": "all positive at 0.5",
}
MEANINGS = {
    "collapsed": "A collapsed cell ranks the validation pairs no better than chance.",
    "diverged": "A diverged cell has weights that are not finite.",
    "no positive at 0.5": "No positive at 0.5: every pair got a probability below 0.5, so that F1 "
    "at 0.5 is 0, whatever the ranking is worth.",
    "all positive at 0.5": "All positive at 0.5: every pair got a probability of at least 0.5.",
}
EPOCH_ERROR = "auc_standard_error"  # in an epoch's validation scores: over whole entities


def score_flags(scores: Mapping[str, float]) -> dict[str, float]:
    """Return the flags that validation scores have, 0 or 1 by name; all but ``diverged``.

    A classifier has ``collapsed`` if it ranks the pairs no better than chance: its AUC is at most
    two standard errors (over whole entities) above .5, as it is if all scores are equal. It has
    ``no_positive`` or ``all_positive`` if it predicts one class for every pair at 0.5.

    Args:
        scores: ``auc``, ``auc_standard_error`` and ``positive_rate``, of validation.
    """
    chance = 0.5 + 2 * scores.get(EPOCH_ERROR, 0.0)  # absent in states of earlier versions
    return {
        "collapsed": float(scores["auc"] <= chance),
        "no_positive": float(scores["positive_rate"] == 0),
        "all_positive": float(scores["positive_rate"] == 1),
    }


def flags_of(metrics: Mapping[str, float]) -> list[str]:
    """Return in words the reasons not to trust a trial's scores; an empty list if it is sound.

    Beside those of ``score_flags`` a trial has ``diverged`` if a loss or logits were not finite.
    """
    return [words for flag, words in FLAGS.items() if metrics.get(flag)]


def is_sound(metrics: Mapping[str, float]) -> bool:
    """Return whether a trial has no flag."""
    return not flags_of(metrics)


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """What the trials of a search are ranked by, on validation; one for all trials of a search.

    Args:
        name: ``auc``, or ``f1`` at the chosen threshold.
        floor: Value of a trial that is not sound, and the least that a trial has: what calling
            every pair a paraphrase scores.
    """

    name: ObjectiveName
    floor: float

    @property
    def words(self) -> str:
        """Return what tables call it."""
        return RANKED_WORDS[self.name]

    @property
    def on_test(self) -> str:
        """Return the name of the same score on test."""
        return RANKED_BY[self.name].replace("val_", "test_")

    def value(self, metrics: Mapping[str, float]) -> float:
        """Return the value of a trial from its final metrics.

        Those of a search trial hold the value already: the mean over its seeds, of which some may
        be flagged.
        """
        if SEED_MEAN in metrics:
            return metrics[SEED_MEAN]
        return self.floored(metrics[RANKED_BY[self.name]], sound=is_sound(metrics))

    def epoch_value(self, scores: Mapping[str, float], *, sound: bool) -> float:
        """Return the value of an epoch of one seed from its validation scores."""
        return self.floored(scores[RANKED_BY[self.name].removeprefix("val_")], sound=sound)

    def floored(self, score: float, *, sound: bool) -> float:
        """Return the score, but at least the floor; the floor alone if it is not sound."""
        return max(score, self.floor) if sound else self.floor


def tagged_objective(tags: Mapping[str, str]) -> ObjectiveName:
    """Return what a trial's search ranks trials by, from its tags; F1 where they do not say."""
    return "auc" if tags.get(OBJECTIVE_TAG) == "auc" else "f1"
