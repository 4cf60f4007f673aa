"""Construction of Report.pdf: read the store, fill the chapters, typeset the pages."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import typst

from analysis import (
    chapters,
    claims,
    compared_chapters,
    data_tables,
    error_tables,
    facts,
    trial_tables,
)
from analysis.book import Book
from analysis.champion_predictions import read_champion
from analysis.comparison_notes import notes_on_modes
from analysis.legible import copy_fonts
from analysis.load_runs import Launch, Store, StoreError
from analysis.own_sentences import add_sentences, read_sentences
from analysis.run_tables import mark_idle
from analysis.web_page import write_page

PAGE = Path(__file__).with_name("report.typ")
NEEDED = 10_000_000  # bytes: a report of PARADE with a grid and a search takes 2 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Names of the MLflow experiments that the report shows, and a file with own sentences."""

    grid: str = "grid"
    freezing: str = "freezing"
    own: Path | None = None


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
    freezing, grid = _find_launches(store, sources)
    launches = [launch for launch in (freezing, grid) if launch is not None]
    if not launches:
        raise StoreError(
            f"{store.uri}: must have a launch of experiment '{sources.grid}' or "
            f"'{sources.freezing}', got experiments {', '.join(store.names()) or 'none'}; "
            "python tuning/run_grid.py runs the grid, --grid NAME reports on another experiment"
        )
    launch = next((found for found in launches if len(found.trials)), launches[0])
    book = Book(folder)
    pairs = store.pairs(launch)
    separate = facts.encodes_separately(launch.trials)
    chapters.data_chapter(book, pairs, int(launch.tags["max_tokens"]), separate=separate)
    search = store.search()
    champion = store.champion(search) if search is not None else {}
    compared = _compare(store, launch, launch is grid, pairs) if len(launch.trials) else None
    if compared is not None and len(compared.trials):
        compared_chapters.training_chapter(book, compared)
        compared_chapters.comparison_chapter(book, compared)
        claims.claims_chapter(
            book, compared, read_champion(store, search, champion, compared.launch)
        )
        compared_chapters.errors_chapter(book, compared)
    if sources.own is not None:
        add_sentences(book.facts.get("examples", []), read_sentences(sources.own), sources.own)
    if grid is not None and len(grid.trials):
        chapters.grid_chapter(book, grid)
        if launch is grid:
            book.facts["warning"] = facts.warn_of_one_seed(grid, store.uri)
    if search is not None:
        chapters.search_chapter(book, search, champion, launch)
        launches.append(search)
    _add_trials(book, launches, store, compared)
    book.facts |= _facts(store, launches, launch, sources)
    return typeset(book)


def _add_trials(
    book: Book, launches: list[Launch], store: Store, compared: compared_chapters.Compared | None
) -> None:
    """Add a table of all trials, and the scores of those that have test scores, recomputed."""
    filled = [launch for launch in launches if len(launch.trials)]
    book.open_chapter("All trials")
    if filled:
        book.add_table("trials", trial_tables.all_trials(filled))
    parts = []
    for launch in filled:
        if "search" in launch.params:  # a search does not score test
            continue
        try:
            if compared is not None and compared.launch is launch:
                predictions = compared.predictions
            else:
                predictions = store.predictions(launch)
        except StoreError as error:
            store.notes.append(str(error))
            continue
        parts.append(trial_tables.recomputed(launch, predictions))
    if parts:
        table = pd.concat(parts, ignore_index=True)
        book.add_table("recomputed", table, trial_tables.RECOMPUTED)


def _find_launches(store: Store, sources: Sources) -> tuple[Launch | None, Launch | None]:
    """Return the launches of the seeds and of the grid; a grid alone is a whole report."""
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
    if grid is not None:
        grid = replace(grid, trials=mark_idle(grid.trials))
    if freezing is None and grid is not None and len(grid.trials):
        store.notes = told
    return freezing, grid


def typeset(book: Book) -> Path:
    """Write the contents as Report.pdf and as index.html; return the path of the former."""
    written = book.write()
    write_page(written)
    contents = written.read_text(encoding="utf-8")
    page = book.folder / PAGE.name
    shutil.copyfile(PAGE, page)
    path = book.folder / "Report.pdf"
    with TemporaryDirectory() as fonts:
        copy_fonts(contents, Path(fonts))
        typst.compile(page, output=path, root=book.folder, font_paths=[Path(fonts)])
    return path


def _compare(
    store: Store, launch: Launch, from_grid: bool, pairs: pd.DataFrame
) -> compared_chapters.Compared:
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
    return compared_chapters.Compared(
        store=store,
        launch=launch,
        trials=trials,
        epochs=store.epochs(launch),
        pairs=pairs.reset_index(drop=True),
        test=test.reset_index(drop=True),
        predictions=store.predictions(launch),
    )


def _facts(
    store: Store, launches: list[Launch], launch: Launch, sources: Sources
) -> dict[str, object]:
    """Return what the report states about encoder, data, training, launches and missing runs."""
    usual = Sources()
    options = [
        word
        for name in ("grid", "freezing")
        if getattr(sources, name) != getattr(usual, name)
        for word in (f"--{name}", getattr(sources, name))
    ]
    return {
        "title": facts.title(launch.tags),
        "tags": launch.tags,
        "stand_ins": facts.stand_ins(launch.tags),
        "trial": facts.settings(launch.trials),
        "features": facts.features(launch.trials),
        "separate": facts.encodes_separately(launch.trials),
        "encodings": facts.encodings(launches),
        "sizes": facts.sizes(launch),
        "modes": facts.modes(launch.trials) if len(launch.trials) else [],
        "cached": launch.params.get("cache_activations", "True") == "True",
        "launches": [facts.launch_facts(found) for found in launches],
        "command": facts.commands(store.uri, launch, options),
        "notes": list(dict.fromkeys(store.notes + facts.unlike(launches))),
    }
