"""Pretraining: train an encoder on text by predicting masked word pieces."""
