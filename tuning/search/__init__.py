"""Search: draw configurations, confirm the best, ablate the champion, score it on test once."""
