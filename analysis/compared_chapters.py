"""Chapters that compare trials: their training, their scores and differences, their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import error_figures, error_tables, findings, grid_findings, search_tables
from analysis import run_figures as figures
from analysis import run_tables as tables
from analysis.book import Book
from analysis.captions import LOSSES, score, score_cell
from analysis.coloured_words import coloured
from analysis.error_rates import ALL, OVERLAP, error_rates
from analysis.example_words import explain, read_occlusion
from analysis.legible import shorten
from analysis.load_runs import Launch, Store, StoreError
from analysis.theme import mode_name
from analysis.whole_words import content_map, join_pieces, rule_of
from measures.baselines import baseline_predictions
from measures.comparison import declared_comparisons, entity_codes, scores_with_intervals
from measures.comparison import differences as compare_models
from measures.intervals import METRICS, Predictions

REFERENCE = "logistic regression on overlap"  # the baseline that modes are tested against
# Baselines that predict probabilities, so that 0.5 is a meaningful threshold.
_LEARNED = (REFERENCE, "gradient boosting on overlap and topics")


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Inputs of the chapters that compare trials.

    ``trials`` are the compared ones of ``launch``, one per freezing mode and seed; ``epochs`` is
    what each trial of the launch logged by epoch; ``pairs`` all pairs; ``test`` the test pairs
    with ``overlap``, ``votes``, ``voters`` and ``pieces``, in the order of the ``predictions``.
    """

    store: Store
    launch: Launch
    trials: pd.DataFrame
    epochs: pd.DataFrame
    pairs: pd.DataFrame
    test: pd.DataFrame
    predictions: pd.DataFrame


def training_chapter(book: Book, compared: Compared) -> None:
    """Add losses and validation F1 by epoch."""
    book.open_chapter("Training")
    curves = tables.curves(compared.epochs, compared.trials)
    modes = tables.freezing_order(curves["freezing"])
    book.keep_numbers("curves", curves)
    if not len(curves):
        book.add_text("curves", [findings.NO_CURVES])
        return
    at_half = tables.validation_f1(curves) == "val_f1"
    words = {"cut": "0.5" if at_half else "the threshold chosen on it in that epoch"}
    words["losses"] = LOSSES[tables.validation_loss(curves)]
    book.add_figure("curves", figures.plot_curves(curves), **words)
    book.add_text("curves", findings.about_curves(curves, modes))


def comparison_chapter(book: Book, compared: Compared) -> None:
    """Add the test scores of freezing modes and baselines, and their differences."""
    book.open_chapter("Frozen layers compared")
    entities = entity_codes(compared.test["group"])
    baselines = baseline_predictions(
        compared.pairs, entities, tables.threshold_rule(compared.trials)
    )
    learned = {name: baselines[name].at(0.5) for name in _LEARNED}
    at_half = {**_models(compared, 0.5), **learned}
    chosen = {**_models(compared, None), **baselines}
    _add_scores(book, "scores_at_threshold", chosen)
    _add_scores(book, "scores_at_half", at_half)
    declared = declared_comparisons([name for name in at_half if name not in learned], REFERENCE)
    for name, models, where in (
        ("differences", chosen, "at the threshold chosen on validation"),
        ("differences_at_half", at_half, "at 0.5"),
    ):
        differences = compare_models(models, declared)
        book.keep_numbers(f"{name}_exact", differences)
        book.add_table(name, search_tables.written_differences(differences))
        book.add_figure(name, figures.plot_differences(differences, where))
        book.add_text(name, findings.about_differences(differences, where))


def _models(compared: Compared, threshold: float | None) -> dict[str, Predictions]:
    """Return the test predictions of each freezing mode, by its name in words."""
    found = tables.model_predictions(compared.predictions, compared.trials, threshold=threshold)
    return {mode_name(mode): predictions for mode, predictions in found.items()}


def _add_scores(book: Book, name: str, models: dict[str, Predictions]) -> None:
    """Add a table and a figure of the models' scores with intervals."""
    long = scores_with_intervals(models)
    book.keep_numbers(f"{name}_long", long)
    book.add_figure(name, figures.plot_comparison(long))
    rows = []
    for model, part in long.groupby("model", sort=False):
        seeds = None if models[str(model)].fixed else part["seeds"].iloc[0]
        row: dict[str, object] = {"model": model, "seeds": seeds}
        for cell in part.to_dict("records"):
            row[f"{cell['metric']}_cell"] = score_cell(cell)
        rows.append(row)
    cells = [f"{metric}_cell" for metric in METRICS]
    book.add_table(name, pd.DataFrame(rows, columns=["model", "seeds", *cells]))


def errors_chapter(book: Book, compared: Compared) -> None:
    """Add confusion, error rates, and misclassified examples with their attention maps.

    All errors are those at the threshold that a trial chose on validation.
    """
    book.open_chapter("Errors")
    models = tables.model_predictions(compared.predictions, compared.trials, threshold=None)
    confusion = error_tables.confusion(models)
    rates = error_rates(compared.test, models)
    book.keep_numbers("confusion", confusion)
    book.keep_numbers("error_rates", rates)
    cuts = sorted({score(cut) for cut in compared.trials["threshold"]})
    cut = " to ".join(dict.fromkeys([cuts[0], cuts[-1]]))
    book.add_figure("confusion", error_figures.plot_confusion(confusion), cut=cut)
    for name, part, draw in (
        ("overlap_errors", rates[rates["by"] == OVERLAP], error_figures.plot_overlap_errors),
        ("error_rates", rates[rates["of"] == ALL], error_figures.plot_error_rates),
    ):
        if len(part):  # else every property has a single bin
            book.add_figure(name, draw(part), cut=cut)
    book.add_text("errors", grid_findings.about_errors(rates))
    examples: list[dict[str, Any]] = []
    for mode, trial in error_tables.best_trials(compared.trials).items():
        examples += _examples(book, compared, mode, trial, examples)
    book.facts.setdefault("attention_rules", [])
    book.keep_numbers("examples", pd.DataFrame(examples))
    book.facts["examples"] = [for_print(example) for example in examples]


def for_print(example: dict[str, Any]) -> dict[str, Any]:
    """Return an example as a page has room for it: one is not torn apart."""
    most = error_tables.SHOWN
    nearest = [
        {**pair, **{side: shorten(pair[side], most) for side in ("first", "second")}}
        for pair in example["nearest"]
    ]
    return {**example, "sides": coloured(example, most), "nearest": nearest}


def _examples(
    book: Book, compared: Compared, mode: str, trial: pd.Series, before: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the examples of a trial, none of an entity shown before, and add their figures."""
    own = compared.predictions[compared.predictions["run_id"] == trial["run_id"]]
    probability = own[own["split"] == "test"].set_index("line")["probability"]
    try:
        maps = compared.store.attention(trial["run_id"])
        occluded = read_occlusion(compared.store, compared.launch, str(trial["folder"]))
    except StoreError as error:
        compared.store.notes.append(str(error))
        return []
    if maps:
        book.facts["template"] = error_tables.input_template(maps[0])
    train = compared.pairs[compared.pairs["split"] == "train"]
    texts = [str(text) for side in ("first", "second") for text in train[f"{side}_pieces"]]
    seen = {piece for text in texts for piece in text.split()}
    shown = {str(example["group"]) for example in before}
    rows = []
    threshold = float(trial["threshold"])
    decided = (probability >= threshold).to_dict()
    labels = compared.test.set_index("line")["label"]
    errors = error_tables.surest_errors(probability, labels, threshold, maps)
    for found in error_tables.choose_examples(errors, compared.test, decided, shown):
        predicted = float(probability[found["line"]])
        row = error_tables.describe_example(found, predicted, compared.test)
        own_words = occluded.get(found["line"], {})
        row |= explain(found["pair"], own_words, threshold, train, seen)
        row |= {"mode": mode_name(mode), "run_id": trial["run_id"]}
        row |= _add_map(book, found, row, f"attention_{mode}_{found['line']}")
        if not row["figure"]:
            row["comment"] += f" {error_tables.why_no_map(str(trial['head']), maps)}"
        rows.append(row)
    return rows


def _add_map(book: Book, found: dict[str, Any], row: dict[str, Any], name: str) -> dict[str, str]:
    """Add the attention map of an example if the log has it; return its name, "" without one."""
    if "weights" not in found:
        return {"figure": ""}
    whole = content_map(join_pieces(found))
    entity = f", entity “{row['group']}”" if row["group"] else ""
    words = {"mode": row["mode"], "kind": row["kind"], "entity": entity}
    words["cut"] = score(row["threshold"])
    rules = [*book.facts.get("attention_rules", []), rule_of(whole)]
    book.facts["attention_rules"] = list(dict.fromkeys(rules))
    book.add_figure(name, error_figures.plot_attention(whole), "attention", **words)
    return {"figure": name}
