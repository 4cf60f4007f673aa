"""Draw configurations, confirm the best, ablate the champion, score it once on test."""
