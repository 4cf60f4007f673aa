"""Measured claims, and the commands that measure them."""
