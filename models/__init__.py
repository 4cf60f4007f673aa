"""The classifier in plain PyTorch: a cut encoder, the heads on top of it, and their files."""
