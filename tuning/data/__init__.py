"""Data sets: from their files to token arrays; imports no torch."""
