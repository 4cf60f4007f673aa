"""Files, storage paths, signals and the terminal: code that knows nothing of trials."""
