"""Chapters on data, grid and search: each computes tables, draws figures and adds sentences."""

from __future__ import annotations

import pandas as pd

from analysis import (
    budget_tables,
    captions,
    champion_findings,
    data_figures,
    data_tables,
    facts,
    findings,
    gap_findings,
    grid_findings,
    importance_tables,
    search_figures,
    search_tables,
)
from analysis import run_figures as figures
from analysis import run_tables as tables
from analysis.book import Book
from analysis.load_runs import Launch
from analysis.votes import count_voters
from measures.objective import RANKED_WORDS, SEED_MEAN

_MOST_VOTERS = 5  # whose votes have a column each on the page


def data_chapter(book: Book, pairs: pd.DataFrame, limit: int, *, separate: bool = False) -> None:
    """Add what is known about the data set.

    Args:
        book: Contents of the report, which receives the chapter.
        pairs: ``Store.pairs``.
        limit: Largest number of word pieces that the encoder takes at once.
        separate: Whether it takes each text alone.
    """
    book.open_chapter("The data")
    balance = data_tables.class_balance(pairs)
    overlap = data_tables.overlap(pairs)
    auc = data_tables.overlap_auc(overlap)
    sizes = data_tables.entity_sizes(pairs)
    leaks = data_tables.leaks(pairs)
    voters, votes = count_voters(pairs), data_tables.vote_columns(balance)
    hidden = votes if voters > _MOST_VOTERS else []
    shown = [name for name in balance.columns if name not in hidden]
    ending = f", with the votes of {voters} annotators for it" if votes and not hidden else ""
    book.add_table("class_balance", balance, shown, votes=ending)
    _add_lengths(book, pairs, limit, separate)
    book.add_table("overlap_auc", auc)
    book.add_table("leaks", leaks)
    book.add_table("cleaning", data_tables.cleaning(pairs))
    book.keep_numbers("entity_sizes", sizes)
    ending = "" if voters else "_without_votes"
    balance_figure = data_figures.plot_class_balance(balance)
    book.add_figure("class_balance", balance_figure, f"class_balance{ending}", voters=voters)
    book.add_figure("overlap", data_figures.plot_overlap(overlap, auc), f"overlap{ending}")
    if sizes["pairs"].nunique() > 1:  # else there is nothing to see
        book.add_figure("entities", data_figures.plot_entities(sizes))
    sentences = findings.about_labels(pairs) + findings.about_data(balance, auc, sizes, leaks)
    book.add_text("data", sentences + _add_telling_words(book, pairs))


def _add_telling_words(book: Book, pairs: pd.DataFrame) -> list[str]:
    """Add the words that tell the classes apart; return why there are none if so."""
    telling = data_tables.telling_words(pairs)
    book.keep_numbers("telling_words", telling)
    if not len(telling):
        return [findings.NO_TELLING_WORDS]
    book.add_figure("telling_words", data_figures.plot_telling_words(telling))
    return []


def _add_lengths(book: Book, pairs: pd.DataFrame, limit: int, separate: bool) -> None:
    pieces, unit = data_tables.pieces_of(separate), "per text" if separate else "per pair"
    table = data_tables.length_summary(pairs, limit, separate=separate)
    book.add_table("lengths", table, limit=limit, unit=unit)
    lengths = data_tables.lengths(pairs, separate=separate)
    figure = data_figures.plot_lengths(lengths, limit, pieces)
    book.add_figure("lengths", figure, limit=limit, pieces=pieces)


def grid_chapter(book: Book, launch: Launch) -> None:
    """Add scores by learning rate and optimizer, the best of each, and the chosen trials."""
    book.open_chapter("Learning rate and optimizer")
    grid = tables.grid_scores(launch.trials)
    best = tables.best_of_each_optimizer(grid)
    optimism = tables.selection_optimism(launch.trials)
    cell = ["freezing", "optimizer", "learning_rate", "val_f1", "test_f1_at_threshold"]
    cell += ["test_accuracy_at_threshold", "test_f1", "test_accuracy", "test_auc"]
    runs = grid_findings.runs_of(grid)
    flags = "; hatched cells are flagged" if (grid["flag"] != "").any() else ""
    book.add_table("grid", grid, [*cell, "flag"], runs=runs)
    book.add_figure("grid", figures.plot_grid(grid), runs=runs, flags=flags)
    book.add_text("grid", grid_findings.about_grid(grid, best))
    book.add_text("best_cell", [grid_findings.about_best(best)])
    if len(optimism):  # else every trial is flagged
        book.add_table("best_of_optimizer", best, [*cell, "edge"])
        book.add_table("optimism", optimism.rename(columns={"test_f1": "test_f1_at_threshold"}))
        book.add_figure("optimism", figures.plot_optimism(optimism))
    book.add_text("optimism", grid_findings.about_optimism(optimism))


def search_chapter(
    book: Book, launch: Launch, champion: dict[str, pd.DataFrame], beside: Launch
) -> None:
    """Add an Optuna search: its history, its trials, what mattered, its champion.

    Args:
        book: Contents of the report, which receives the chapter.
        launch: Search with at least one finished trial.
        champion: ``Store.champion``.
        beside: Launch of the report's other chapters.
    """
    book.open_chapter("The search")
    measure = RANKED_WORDS["auc" if launch.params.get("search.objective") == "auc" else "f1"]
    history = search_tables.search_history(launch.trials)
    importance = importance_tables.parameter_importance(launch.trials)
    book.keep_numbers("search_history", history)
    book.keep_numbers("search_importance", importance)
    book.add_figure(
        "search_history", search_figures.plot_history(history, measure), measure=measure
    )
    tried = search_tables.tried_places(launch.trials, launch.params)
    book.keep_numbers("search_tried", tried)
    book.add_figure("search_tried", search_figures.plot_tried(tried, measure))
    _add_budget(book, launch.trials, measure)
    names = list(importance["parameter"][: search_tables.PARALLEL])
    if names:
        values = launch.trials[[*names, SEED_MEAN]]
        book.add_figure("search_parallel", search_figures.plot_parallel(values), measure=measure)
    if len(importance):
        figure = search_figures.plot_importance(importance)
        book.add_figure(
            "search_importance",
            figure,
            evaluator=importance_tables.IMPORTANCE,
            measure=measure,
            shown=min(len(importance), search_figures.SHOWN),
        )
    found = findings.about_search(history, importance, measure)
    book.add_text("search", facts.unlike([beside, launch]) + found)
    folds = launch.params.get("validation.folds", "None") != "None"
    _add_champion(book, champion, measure, folds=folds)


def _add_budget(book: Book, trials: pd.DataFrame, measure: str) -> None:
    """Add what the best of fewer trials, drawn at random, would be expected to reach."""
    budget = budget_tables.random_budget(trials)
    book.keep_numbers("search_budget", budget)
    book.add_text("budget", budget_tables.about_budget(budget, trials, measure))
    if len(budget):
        words = {"measure": measure, "count": len(budget)}
        book.add_table("budget", budget_tables.written_budget(budget), **words)
        words["measure"] = f"{measure[0].upper()}{measure[1:]}"
        book.add_figure("search_budget", search_figures.plot_budget(budget, measure), **words)


def _add_champion(
    book: Book, champion: dict[str, pd.DataFrame], measure: str, *, folds: bool
) -> None:
    """Add how the champion was confirmed, its test scores, its ablations, and an ensemble."""
    for name, table in champion.items():
        book.keep_numbers(f"search_{name}", table)
    if "rounds" in champion:
        book.add_table(
            "rounds", search_tables.confirmation_rounds(champion["rounds"]), measure=measure
        )
        book.add_text(
            "choice", gap_findings.about_choice(champion["rounds"], measure, folds=folds)
        )
    if "scores" in champion:
        _add_scores(book, champion["scores"])
    if "ablations" in champion:
        table = search_tables.ablation_scores(champion["ablations"])
        how = captions.BY_ENTITIES if "p_holm" in table else captions.BY_SEEDS
        book.add_table("ablations", table, measure=measure, how=how)
    if "ensemble" in champion:
        book.add_text("ensemble", findings.about_ensemble(champion["ensemble"]))
    if "difference" in champion:
        found = champion["difference"]
        book.add_text("champion", champion_findings.about_champion(found))
        if "f1_p_holm" in found:  # not in logs of earlier versions
            table = search_tables.written_differences(found)
            book.add_table("champion_differences", table)


def _add_scores(book: Book, scores: pd.DataFrame) -> None:
    """Add the champion's test scores, also for the first lines of the page."""
    book.add_table("champion", search_tables.champion_scores(scores))
    if short := champion_findings.in_short(scores):
        book.add_text("champion_short", short)
