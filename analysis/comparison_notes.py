"""Notes on what a comparison of freezing modes lacks."""

from __future__ import annotations

import ast

import pandas as pd

from analysis import run_tables
from analysis.load_runs import Launch


def notes_on_modes(launch: Launch, trials: pd.DataFrame, *, from_grid: bool) -> list[str]:
    """Return notes on freezing modes of which no trial, one seed, or a mixture is compared.

    Args:
        launch: Launch that tells which modes were to be tried.
        trials: Trials to compare.
        from_grid: Whether they are the best of a grid, one of each mode.
    """
    compared = run_tables.freezing_order(trials["freezing"])
    tried = run_tables.freezing_order(pd.Series(_declared(launch)))
    missing = [
        f"No trial with freezing '{mode}' finished and learned: this mode is not compared."
        for mode in tried
        if mode not in compared
    ]
    single = [
        f"Freezing '{mode}' has a single seed: there is no standard deviation, and its interval "
        "covers the variation over entities only."
        for mode in compared
        if not from_grid and (trials["freezing"].astype(str) == mode).sum() == 1
    ]
    seeds = trials["seed"].groupby(trials["freezing"].astype(str))
    mixed = [
        f"Freezing '{mode}' has several trials with the same seed, which differ in more than the "
        "seed: ± and intervals take all of them for seeds of one configuration."
        for mode, known in seeds
        if known.duplicated().any()
    ]
    return missing + single + mixed


def _declared(launch: Launch) -> list[object]:
    """Return the freezing modes that a launch was to try: its grid's, else its trials'."""
    logged = launch.params.get("grid.freezing")
    return ast.literal_eval(logged) if logged else launch.trials["freezing"].tolist()
