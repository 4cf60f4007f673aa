"""Train an encoder on text by guessing masked word pieces."""
