"""Trials on cores, GPUs and clusters: the room that imports Ray."""
