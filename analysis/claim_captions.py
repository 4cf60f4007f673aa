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
BY_EPOCH = (
    " Epoch: how far, on validation, the epoch that was kept lies above the last one, with its "
    "interval over seeds; some of that is real, so that it is no part of the sum."
)
NO_EPOCHS = " It is a dash where the log has no epochs of the model."
CLAIM_TABLES = {
    "gaps": "Validation score minus test score in percentage points, as a sum of three parts with "
    "95 % intervals over seeds and over the entities of both splits, drawn separately, not "
    "corrected; with a single seed they are of entities alone, and too narrow. Threshold: what F1 "
    "at the threshold chosen on validation (F1*) loses there if each pair is decided at one "
    "chosen on other entities; its interval is too narrow with any number of seeds. Harder test: "
    "the gap of logistic regression on overlap without this loss, below 0 if the test split is "
    "easier. Left over: the rest.{epoch}",
}
