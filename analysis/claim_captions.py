"""Captions of the chapter on what the scores can claim."""

CLAIM_FIGURES = {
    "accuracy_by_votes": "Test accuracy at the threshold chosen on validation by the number of "
    "votes for paraphrase: mean over seeds, with 95 % intervals over seeds and entities; dashed: "
    "what is expected of an oracle that knows how all annotators divide over each pair.",
    "reliability": "Reliability on test: observed against predicted, in {bins} bins of equally "
    "many predictions of all trials of a freezing mode ({seeds}); dashed: where probabilities "
    "are right.{votes}",
    "precision_recall": "Precision by recall on test, mean over the trials of a freezing mode "
    "({seeds}); dashed: every pair called a paraphrase.{votes}",
}
CLAIM_TABLES = {
    "gaps": "Validation score minus test score in percentage points: of the model, of logistic "
    "regression on overlap, and what is left of the former beyond the latter, with its 95 % "
    "interval over seeds and over the entities of both splits, drawn separately; not corrected. "
    "F1 is at the threshold chosen on validation.",
}
