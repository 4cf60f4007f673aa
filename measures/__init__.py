"""Computations that tuner and analysis share: overlap, baselines, intervals, the objective."""
