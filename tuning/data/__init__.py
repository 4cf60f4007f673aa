"""Data sets and encoders: from their names to token arrays; imports no torch."""
