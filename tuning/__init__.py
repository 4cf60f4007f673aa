"""Grids and searches of paraphrase classifiers: configuration, data, training, trials, log."""
