"""Choice of the launches that the report shows, and of the trials that it compares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis import data_tables, error_tables
from analysis.compared_chapters import Compared
from analysis.comparison_notes import notes_on_modes
from analysis.load_runs import Launch, Store, StoreError
from analysis.run_tables import mark_idle


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Names of the MLflow experiments that the report shows, and a file with own sentences."""

    grid: str = "grid"
    freezing: str = "freezing"
    own: Path | None = None


def find_launches(store: Store, sources: Sources) -> tuple[Launch | None, Launch | None]:
    """Return the launches of the seeds and of the grid; a grid alone is a whole report.

    Raises:
        StoreError: If the store has none of them, or has a search in the place of one.
    """
    grid = store.latest(sources.grid)
    told = list(store.notes)
    freezing = store.latest(sources.freezing)
    for launch in (grid, freezing):
        if launch is not None and launch.params.get("search") == "optuna":
            raise StoreError(
                f"{store.uri}: experiment '{launch.experiment}' must be a grid, got a search, "
                "whose trials are not scored on test; a search is shown beside a grid: python "
                "tuning/run_grid.py runs one"
            )
    if grid is None and freezing is None:
        raise StoreError(
            f"{store.uri}: must have a launch of experiment '{sources.grid}' or "
            f"'{sources.freezing}', got experiments {', '.join(store.names()) or 'none'}; "
            "python tuning/run_grid.py runs the grid, --grid NAME reports on another experiment"
        )
    if grid is not None:
        grid = replace(grid, trials=mark_idle(grid.trials))
    if freezing is None and grid is not None and len(grid.trials):
        store.notes = told
    return freezing, grid


def compare_trials(store: Store, launch: Launch, from_grid: bool, pairs: pd.DataFrame) -> Compared:
    """Return the trials to compare, with pairs and predictions; note what is missing.

    They are all trials of ``freezing``; if there is only a grid, its best trial of each mode.
    """
    trials = launch.trials
    if from_grid:
        best = [trial["run_id"] for trial in error_tables.best_trials(trials).values()]
        trials = trials[trials["run_id"].isin(best)].reset_index(drop=True)
    store.notes += notes_on_modes(launch, trials, from_grid=from_grid)
    overlap = data_tables.overlap(pairs)
    everything = pairs.assign(
        **{name: overlap[name] for name in ("overlap", "votes", "voters")},
        pieces=data_tables.lengths(pairs)["pieces"],
    )
    test = everything[everything["split"] == "test"].sort_values("line")
    return Compared(
        store=store,
        launch=launch,
        trials=trials,
        epochs=store.epochs(launch),
        pairs=pairs.reset_index(drop=True),
        test=test.reset_index(drop=True),
        predictions=store.predictions(launch),
    )
