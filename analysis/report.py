"""Construction of Report.pdf: read the store, fill the chapters, typeset the pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import typst

from analysis import (
    chapters,
    claims,
    compared_chapters,
    facts,
    trial_tables,
)
from analysis.assumptions import assumptions
from analysis.book import Book
from analysis.champion_predictions import Champion, read_champion
from analysis.compared_chapters import Compared
from analysis.legible import copy_fonts
from analysis.load_runs import Launch, Store, StoreError
from analysis.own_sentences import add_sentences, read_sentences
from analysis.shown_launches import Sources, compare_trials, find_launches
from analysis.web_page import write_page

PAGE = Path(__file__).with_name("report.typ")
LAYOUT = PAGE.with_name("layout.typ")
NEEDED = 10_000_000  # bytes: a report of PARADE with a grid and a search takes 2 MB


def publish(
    store: Store, folder: Path, sources: Sources, tell: Callable[[str], object] = lambda part: None
) -> Path:
    """Build the report beside ``folder``, move it there when it is complete, and return its path.

    Args:
        store: MLflow store.
        folder: Folder of the report; created if it does not exist.
        sources: Names of the experiments to show.
        tell: Is told of each part of the work as it begins.

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
        path = build_report(store, Book(Path(beside), tell), sources)
        folder.mkdir(exist_ok=True)
        for made in Path(beside).iterdir():
            shutil.rmtree(folder / made.name, ignore_errors=True)  # no old figure stays
            made.replace(folder / made.name)
    return folder / path.name


def build_report(store: Store, book: Book, sources: Sources) -> Path:
    """Write the report, its figures and its tables to the book's folder; return the PDF's path.

    What the store lacks is left out and named in the report's last chapter.

    Raises:
        StoreError: If the store has no launch of either experiment.
    """
    freezing, grid = find_launches(store, sources)
    launches = [launch for launch in (freezing, grid) if launch is not None]
    launch = next((found for found in launches if len(found.trials)), launches[0])
    pairs = store.pairs(launch)
    separate = facts.encodes_separately(launch.trials)
    chapters.data_chapter(book, pairs, int(launch.tags["max_tokens"]), separate=separate)
    search = store.search()
    champion = store.champion(search) if search is not None else {}
    compared = None
    if len(launch.trials):
        compared = compare_trials(store, launch, launch is grid, pairs)
        book.open_chapter("The approach")  # report.typ describes it
    if compared is not None and len(compared.trials):
        found = read_champion(store, search, champion, launch)
        _add_compared(book, compared, found, grid)
    else:
        _add_grid(book, grid)
    if launch is grid:
        book.facts["warning"] = facts.warn_of_one_seed(launch, store.uri)
    if sources.own is not None:
        add_sentences(book.facts.get("examples", []), read_sentences(sources.own), sources.own)
    if search is not None:
        chapters.search_chapter(book, search, champion, launch)
        launches.append(search)
    _add_trials(book, launches, store, compared)
    book.facts |= _facts(store, launches, launch, sources)
    last = ["Notes on the log"] * bool(book.facts["notes"])
    for title in ("Assumptions and limits", "How to reproduce", *last):
        book.open_chapter(title)
    return typeset(book)


def _add_compared(
    book: Book, compared: Compared, champion: Champion | None, grid: Launch | None
) -> None:
    """Add the chapters that compare trials, and among them, before the errors, the grid."""
    compared_chapters.training_chapter(book, compared)
    compared_chapters.comparison_chapter(book, compared)
    claims.claims_chapter(book, compared, champion)
    _add_grid(book, grid)
    compared_chapters.errors_chapter(book, compared)


def _add_grid(book: Book, grid: Launch | None) -> None:
    """Add the chapter on the grid if there is one with a finished trial."""
    if grid is not None and len(grid.trials):
        chapters.grid_chapter(book, grid)


def _add_trials(
    book: Book, launches: list[Launch], store: Store, compared: Compared | None
) -> None:
    """Add a table of all trials, and the scores of those that have test scores, recomputed."""
    filled = [launch for launch in launches if len(launch.trials)]
    if filled:
        book.open_chapter("All trials")
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


def typeset(book: Book) -> Path:
    """Write the contents as Report.pdf and as index.html; return the path of the former."""
    book.tell("its pages")
    written = book.write()
    write_page(written)
    contents = written.read_text(encoding="utf-8")
    page = book.folder / PAGE.name
    for part in (PAGE, LAYOUT):
        shutil.copyfile(part, book.folder / part.name)
    path = book.folder / "Report.pdf"
    with TemporaryDirectory() as fonts:
        copy_fonts(contents, Path(fonts))
        typst.compile(page, output=path, root=book.folder, font_paths=[Path(fonts)])
    return path


def _facts(
    store: Store, launches: list[Launch], launch: Launch, sources: Sources
) -> dict[str, object]:
    """Return what the report states about encoder, data, training, launches and missing runs."""
    usual, layers = Sources(), int(launch.tags["encoder_layers"])
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
        "modes": facts.modes(launch.trials, layers) if len(launch.trials) else [],
        "cached": launch.params.get("cache_activations", "True") == "True",
        "launches": [facts.launch_facts(found) for found in launches],
        "command": facts.commands(store.uri, launch, options),
        "assumptions": assumptions(launch.tags["data"]),
        "notes": list(dict.fromkeys(store.notes + facts.unlike(launches))),
    }
