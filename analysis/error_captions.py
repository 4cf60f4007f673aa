"""Captions of the chapter on errors; ``cut`` is the threshold in digits."""

ERROR_FIGURES = {
    "confusion": "Test pairs by true class (rows) and predicted class (columns) at the threshold "
    "chosen on validation ({cut}): counts, mean over seeds, shares of the true class, and, in "
    "brackets, counts at 0.5.",
    "error_rates": "Error rate on test at the threshold chosen on validation ({cut}), mean over "
    "seeds, by properties of the pair, with 95 % bootstrap intervals over seeds and entities; "
    "what is counted is in quartiles of the test pairs.",
    "overlap_errors": "Errors on test at the threshold chosen on validation ({cut}) by word "
    "overlap, in quartiles of the test pairs, for each class by itself: pairs that are no "
    "paraphrases and are called one, and paraphrases that are missed; mean over seeds, "
    "with 95 % bootstrap intervals over seeds and entities.",
    "attention": "Attention of the head ({mode}) in a {kind} at the threshold {cut}{entity}.",
}
