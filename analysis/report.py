"""Construction of Report.pdf: read the store, fill the chapters, typeset the pages."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import typst

from analysis import chapters, data_tables, error_tables, run_tables
from analysis.book import Book
from analysis.load_runs import Launch, Store, StoreError

PAGE = Path(__file__).with_name("report.typ")
NEEDED = 10_000_000  # bytes: a report of PARADE with a grid and a search takes 2 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Names of the MLflow experiments that the report shows."""

    grid: str = "grid"
    freezing: str = "freezing"


def publish(store: Store, folder: Path, sources: Sources) -> Path:
    """Build the report beside ``folder``, move it there when it is complete, and return its path.

    Args:
        store: MLflow store.
        folder: Folder of the report; created if it does not exist.
        sources: Names of the experiments to show.

    Raises:
        StoreError: If the store has nothing to report.
        OSError: If the disk is full or not writable; an earlier report then stays as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if free < NEEDED:
        raise OSError(
            f"{folder}: cannot be written: {NEEDED / 1e6:.0f} MB are needed and "
            f"{free / 1e6:.1f} MB are free"
        )
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        path = build_report(store, Path(beside), sources)
        folder.mkdir(exist_ok=True)
        for made in Path(beside).iterdir():
            shutil.rmtree(folder / made.name, ignore_errors=True)  # no old figure stays
            made.replace(folder / made.name)
    return folder / path.name


def build_report(store: Store, folder: Path, sources: Sources) -> Path:
    """Write the report, its figures and its tables to ``folder``; return the path of the PDF.

    What the store lacks is left out and named in the report's last chapter.

    Raises:
        StoreError: If the store has no launch of either experiment.
    """
    grid, freezing = store.latest(sources.grid), store.latest(sources.freezing)
    launches = [launch for launch in (freezing, grid) if launch is not None]
    if not launches:
        raise StoreError(
            f"{store.uri}: must have a launch of experiment '{sources.grid}' or "
            f"'{sources.freezing}', got experiments {', '.join(store.names()) or 'none'}; "
            "python tuning/run_grid.py runs the grid"
        )
    launch = next((found for found in launches if len(found.trials)), launches[0])
    book = Book(folder)
    pairs = store.pairs(launch)
    chapters.data_chapter(book, pairs, int(launch.tags["max_tokens"]))
    compared = _compare(store, launch, launch is grid, pairs) if len(launch.trials) else None
    if compared is not None and len(compared.trials):
        chapters.training_chapter(book, compared)
        chapters.comparison_chapter(book, compared)
        chapters.errors_chapter(book, compared)
    if grid is not None and len(grid.trials):
        chapters.grid_chapter(book, grid)
    search = store.search()
    if search is not None:
        chapters.search_chapter(book, search, store.champion(search))
        launches.append(search)
    book.facts |= _facts(store, launches, launch)
    return typeset(book)


def typeset(book: Book) -> Path:
    """Write the contents as Report.pdf and return its path."""
    book.write()
    page = book.folder / PAGE.name
    shutil.copyfile(PAGE, page)
    path = book.folder / "Report.pdf"
    typst.compile(page, output=path, root=book.folder)
    return path


def _compare(
    store: Store, launch: Launch, from_grid: bool, pairs: pd.DataFrame
) -> chapters.Compared:
    """Return the trials to compare, with pairs and predictions; note what is missing.

    They are all trials of ``freezing``; if there is only a grid, its best trial of each mode.
    """
    trials = launch.trials
    if from_grid:
        best = [trial["run_id"] for trial in error_tables.best_trials(trials).values()]
        trials = trials[trials["run_id"].isin(best)].reset_index(drop=True)
        note = (
            "The comparison shows the best trial of each freezing mode in the grid, with one seed;"
            " python tuning/run_grid.py experiments/freezing.yaml runs several seeds."
        )
        store.notes += [note] if len(trials) else []
    store.notes += _notes_on_modes(trials)
    test = pairs[pairs["split"] == "test"].sort_values("line").reset_index(drop=True)
    overlap = data_tables.overlap(test)
    test = test.assign(
        overlap=overlap["overlap"],
        votes=overlap["votes"],
        pieces=data_tables.lengths(test)["pieces"],
    )
    return chapters.Compared(
        store=store,
        launch=launch,
        trials=trials,
        pairs=pairs.reset_index(drop=True),
        test=test,
        predictions=store.predictions(launch),
    )


def _notes_on_modes(trials: pd.DataFrame) -> list[str]:
    """Return notes on the freezing modes that have no trial, or a single seed."""
    modes = run_tables.freezing_order(trials["freezing"])
    missing = [
        f"No trial with freezing '{mode}' finished and learned: this mode is not compared."
        for mode in ("all", "some", "none")
        if mode not in modes
    ]
    single = [
        f"Freezing '{mode}' has a single seed: there is no standard deviation, and its interval "
        "covers the variation over entities only."
        for mode in modes
        if (trials["freezing"].astype(str) == mode).sum() == 1
    ]
    return missing + single


def _facts(store: Store, launches: list[Launch], launch: Launch) -> dict[str, object]:
    """Return what the report states about encoder, data, training, launches and missing runs."""
    trials = launch.trials
    fixed = {name: str(trials[name].iloc[0]) for name in trials if trials[name].nunique() == 1}
    return {
        "tags": launch.tags,
        "trial": fixed,
        "launches": [
            {
                "experiment": found.experiment,
                "run_id": found.run_id,
                "trials": len(found.trials),
                "failed": len(found.failed),
            }
            for found in launches
        ],
        "notes": list(dict.fromkeys(store.notes)),
    }
