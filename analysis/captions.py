"""Captions of figures and tables, and the heading and number format of each column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from analysis.claim_captions import CLAIM_FIGURES, CLAIM_TABLES
from analysis.error_captions import ERROR_FIGURES
from analysis.search_captions import SEARCH_FIGURES, SEARCH_TABLES
from analysis.theme import optimizer_name

DASH = "–"

FIGURES = {
    **CLAIM_FIGURES,
    **ERROR_FIGURES,
    **SEARCH_FIGURES,
    "class_balance": "Class balance (left) and votes of the {voters} annotators (right) by split.",
    "class_balance_without_votes": "Class balance by split.",
    "lengths": "Words per pair (left) and word pieces {pieces} (right); the encoder takes at most "
    "{limit} word pieces.",
    "overlap": "Word overlap (Jaccard index) of the two texts by label (left) and by votes "
    "(right).",
    "overlap_without_votes": "Word overlap (Jaccard index) of the two texts by label.",
    "entities": "Pairs per entity, largest first; an entity larger than all others of its "
    "split is named.",
    "telling_words": "Words of the train split most typical of each class: z-scores of log-odds "
    "ratios with an informative Dirichlet prior (Monroe et al., 2008).",
    "curves": "Train and validation loss in nats per pair, and validation F1 at {cut}, by epoch: "
    "mean over seeds, with a band of one standard deviation (none for a single seed). {losses}",
    "scores_at_half": "Test scores at the threshold 0.5 with 95 % intervals over seeds and "
    "entities; baselines in grey.",
    "scores_at_threshold": "Test scores at the threshold chosen on validation, with 95 % "
    "intervals over seeds and entities; baselines in grey.",
    "differences": "Differences in test F1 at the threshold chosen on validation, with 95 % "
    "intervals over seeds and entities, not corrected; blue: the corrected p is below .05.",
    "differences_at_half": "Differences in test F1 at 0.5 with 95 % intervals over seeds and "
    "entities, not corrected for their number; blue: the corrected p is below .05.",
    "grid": "Test accuracy (left) and F1 (right) at the threshold chosen on validation, which "
    "colours the cell, and in brackets at 0.5, by learning rate, optimizer and frozen layers; "
    "each cell is {runs}{flags}.",
    "optimism": "F1 of the trial chosen by validation F1, on validation and on test.",
}

LOSSES = {
    "val_target_loss": "Both losses are against the training targets (soft ones if votes are "
    "used), the train loss with dropout and class weights, the validation loss without.",
    "val_loss": "The train loss is against the training targets (soft ones if votes are used), "
    "with dropout and class weights, the validation loss against the labels and without: their "
    "levels cannot be compared.",
}

_INTERVAL = (
    "mean ± standard deviation over seeds, and below it the 95 % bootstrap interval, which "
    "is over seeds and whole entities together. A single seed has no standard deviation, and its "
    "interval, over entities alone, is too narrow."
)
_TESTED = (
    "In percentage points. Intervals and p are of one bootstrap over new seeds and new entities; "
    "p is corrected over the comparisons (Holm), for F1 and for accuracy by themselves, the 95 % "
    "interval is not. A model with one seed has no p: its interval is of entities alone, and too "
    "narrow."
)
TABLES = {
    **CLAIM_TABLES,
    **SEARCH_TABLES,
    "class_balance": "Pairs by split, and how many of them are paraphrases{votes}.",
    "lengths": "Lengths over all splits; the encoder takes at most {limit} word pieces {unit}.",
    "overlap_auc": "AUC of word overlap alone: how well the share of common words ranks "
    "paraphrases above other pairs.",
    "leaks": "Duplicates, and leaks between splits, which would inflate test scores; ideally "
    "every count is 0.",
    "cleaning": "What cleaning changed, over all splits, with the shortest example of each step.",
    "scores_at_half": f"Test scores at 0.5: {_INTERVAL}",
    "scores_at_threshold": f"Test scores at the threshold chosen on validation: {_INTERVAL}",
    "differences": f"Differences in test scores at the threshold chosen on validation. {_TESTED}",
    "differences_at_half": f"Differences in test scores at 0.5. {_TESTED}",
    "champion_differences": "Differences in test scores between the champion, or the ensemble of "
    f"its seeds, and the baseline. {_TESTED}",
    "grid": "Every cell of the grid, {runs}; * at the threshold chosen on validation, "
    "others at 0.5.",
    "best_of_optimizer": "The best learning rate of each optimizer, chosen by validation F1; * at "
    "the threshold chosen on validation, others at 0.5.",
    "rounds": "The confirmation: the best configurations of the search in a race on racing seeds, "
    "and its best in the final on fresh seeds, which took part in no earlier choice. The "
    "value of a seed is its {measure}, in the search and as mean ± standard deviation over the "
    "seeds of the round; a seed that failed or is flagged counts as one that learned nothing. "
    "Fresh are the seeds alone: epoch, threshold and configuration were chosen on the same "
    "validation pairs, so that these values lie above those on new entities.",
    "champion": "Test scores of the champion, computed once after the choice was final, at 0.5 "
    f"and at the threshold chosen on validation: {_INTERVAL}",
    "ablations": "Ablations: the champion with and without each option, all else equal: "
    "{measure}, mean ± standard deviation over fresh seeds; the gain in percentage points with "
    "its 95 % interval {how}. That the champion was chosen on these seeds is not taken into "
    "account.",
    "trials": "Every finished trial of the launches shown (of a search what it drew, not its "
    "confirmation and ablations), those with the highest validation F1 first; * at the threshold "
    "chosen on validation, others at 0.5.",
    "recomputed": "Test scores of the saved models as they were logged, and recomputed from their "
    "logged predictions with scikit-learn; the difference is the greatest of F1 and accuracy, at "
    "0.5 and * at the threshold chosen on validation, and AUC.",
    "optimism": "Optimism of choosing by validation F1: F1 of the chosen trial, at the threshold "
    "chosen on validation, on validation and on test.",
}

BY_SEEDS = (
    "of the paired difference over seeds (Student's t), whose effect counts where it excludes 0, "
    "not corrected for the number of ablations"
)
BY_ENTITIES = (
    "over seeds and entities together (bootstrap), not corrected; p is of the same bootstrap, "
    "corrected over all ablations (Holm), and below .05 the effect counts"
)


def score(value: float) -> str:
    """Return a score in [0, 1] as .123, or a loss, which may be larger; a dash if missing."""
    return DASH if math.isnan(value) else re.sub(r"^(-?)0\.", r"\1.", f"{value:.3f}")


def score_cell(cell: Mapping[Hashable, Any]) -> str:
    """Return mean ± standard deviation over seeds, and below it the interval."""
    spread = "" if math.isnan(cell["std"]) else f" ± {score(cell['std'])}"
    return f"{score(cell['mean'])}{spread}\n[{score(cell['low'])}, {score(cell['high'])}]"


def percent(value: float) -> str:
    """Return a share in [0, 1] as a percentage with one digit after the point."""
    return f"{100 * value:.1f} %"


def whole(value: float) -> str:
    """Return a number without digits after the point."""
    return f"{value:.0f}"


def decimal(value: float) -> str:
    """Return a number with one digit after the point."""
    return f"{value:.1f}"


def p_value(value: float) -> str:
    """Return a p-value with three digits after the point, or "< .001"."""
    return "< .001" if value < 0.001 else score(value)


def difference(value: float) -> str:
    """Return the size of a difference with one digit: 0 or 2e-16."""
    return "0" if value == 0 else f"{value:.0e}"


def points(value: float) -> str:
    """Return a difference of scores in points, with a true minus sign; a dash if missing."""
    return DASH if math.isnan(value) else f"{100 * value:+.1f}".replace("-", "−")


def rate(value: float) -> str:
    """Return a learning rate in its shortest form."""
    return f"{value:g}"


COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "pairs": ("pairs", whole),
    "positives": ("paraphrases", whole),
    "positive_share": ("share", percent),
    "mean": ("mean", decimal),
    "median": ("median", whole),
    "percentile_95": ("95th percentile", whole),
    "maximum": ("maximum", whole),
    "share_over_limit": ("share over limit", percent),
    "auc": ("AUC", score),
    "count": ("count", whole),
    "texts": ("texts changed", whole),
    "share": ("share", percent),
    "seeds": ("seeds", whole),
    "f1": ("F1", str),
    "freezing": ("frozen", str),
    "optimizer": ("optimizer", optimizer_name),
    "learning_rate": ("learning rate", rate),
    "val_auc": ("val AUC", score),
    "seed": ("seed", whole),
    "seconds": ("seconds", whole),
    **{f"{kind}_{name}": (f"{heading},\n{words}", score)
       for kind, words in (("logged", "logged"), ("again", "recomputed"))
       for name, heading in (("test_f1_at_threshold", "F1*"), ("test_accuracy_at_threshold",
       "accuracy*"), ("test_f1", "F1"), ("test_accuracy", "accuracy"), ("test_auc", "AUC"))},
    "difference": ("difference", difference),
    "val_f1": ("val F1*", score),
    "test_f1": ("test F1", score),
    "test_f1_at_threshold": ("test F1*", score),
    "test_accuracy": ("test accuracy", score),
    "test_accuracy_at_threshold": ("test accuracy*", score),
    "test_auc": ("test AUC", score),
    "edge": ("edge of grid", str),
    "trials": ("chosen from", whole),
    "flagged": ("flagged", whole),
    "name": ("trial", str),
    "gap": ("gap, points", points),
    **{f"{name}_part": (words, str) for name, words in (("harder", "harder test"),
       ("threshold", "threshold"), ("left", "left over"), ("epoch", "epoch"))},
    "other": ("compared with", str),
    "cut": ("threshold", str),
    "drawn": ("random trials", whole),
    "expected": ("expected best", score),
    "band": ("95 % interval", str),
    "searched": ("in the search", score),
    "confirmed": ("on its seeds", str),
    "lever": ("ablation", str),
    "with_it": ("with", str),
    "without_it": ("without", str),
    "p_holm": ("p, Holm", p_value),
    "verdict": ("effect", str),
    "champion": ("in champion", str),
    "accuracy_points": ("accuracy", points),
    "f1_points": ("F1", points),
    "f1_interval": ("95 % of F1", str),
    "auc_points": ("AUC", points),
    "precision_points": ("precision", points),
    "recall_points": ("recall", points),
    "f1_p_holm": ("p of F1", p_value),
    "accuracy_p_holm": ("p of accuracy", p_value),
    **{f"{metric}_cell": (name, str) for metric, name in
       {"accuracy": "accuracy", "f1": "F1", "precision": "precision", "recall": "recall",
        "auc": "AUC"}.items()},
}  # fmt: skip


def heading(column: str) -> str:
    """Return the heading of a column: the column's own name if it has no entry above."""
    if column.startswith("votes_"):
        return f"{column.removeprefix('votes_').replace('_', ' ')} votes"
    return COLUMNS[column][0] if column in COLUMNS else column


def written(column: str, value: object) -> str:
    """Return a value as text in the format of its column; a dash if it is missing."""
    if column.startswith("votes_"):
        return whole(float(str(value)))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return DASH
    return COLUMNS[column][1](value) if column in COLUMNS else str(value)
