"""Files, paths, signals and the terminal: what knows nothing of a trial."""
