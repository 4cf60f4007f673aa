"""Train and score one classifier: plain PyTorch over shared states."""
