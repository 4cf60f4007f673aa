"""Chapter on what the scores can claim: what the votes allow, what seeds and pairs can show."""

from __future__ import annotations

import pandas as pd

from analysis import (
    calibration_figures,
    calibration_findings,
    calibration_tables,
    ceiling_findings,
    ceiling_tables,
    claim_figures,
    gap_findings,
    gap_tables,
)
from analysis import run_tables as tables
from analysis.book import Book
from analysis.captions import DASH
from analysis.champion_predictions import CHAMPION, Champion
from analysis.claim_captions import BY_EPOCH, NO_EPOCHS
from analysis.compared_chapters import REFERENCE, Compared
from analysis.theme import mode_name
from analysis.votes import count_voters
from measures.baselines import baseline_predictions
from measures.comparison import entity_codes
from measures.intervals import Predictions
from measures.objective import RANKED_WORDS, VALIDATION_F1, ThresholdRule

_BY_VOTES = " Against shares of votes a pair counts as a paraphrase by its share, else as none."


def claims_chapter(book: Book, compared: Compared, champion: Champion | None) -> None:
    """Add what votes allow, what seeds and pairs can show, and what probabilities are worth.

    Args:
        book: Contents of the report, which receives the chapter.
        compared: Trials to compare.
        champion: Champion of a search on the same data; only its gap is shown.
    """
    book.open_chapter("What the scores can claim")
    models = _models(compared, "test")
    _add_ceiling(book, compared, models)
    _add_power(book, compared, models)
    _add_gaps(book, compared, models, champion)
    _add_calibration(book, compared, models)


def _models(compared: Compared, split: str) -> dict[str, Predictions]:
    """Return the predictions of each mode for a split, at the threshold chosen on validation."""
    found = tables.model_predictions(
        compared.predictions, compared.trials, threshold=None, split=split
    )
    return {mode_name(mode): predictions for mode, predictions in found.items()}


def _baseline(compared: Compared, split: str) -> Predictions:
    """Return the reference baseline's predictions for a split."""
    groups = compared.pairs.loc[compared.pairs["split"] == split, "group"]
    rule = tables.threshold_rule(compared.trials)
    entities = entity_codes(groups.reset_index(drop=True))
    return baseline_predictions(compared.pairs, entities, rule, (REFERENCE,), split)[REFERENCE]


def _add_ceiling(book: Book, compared: Compared, models: dict[str, Predictions]) -> None:
    ceiling = ceiling_tables.ceiling_of(compared.pairs)
    if ceiling is None:
        return
    table = ceiling_tables.accuracy_by_votes(compared.test, models, ceiling)
    book.keep_numbers("accuracy_by_votes", table)
    book.add_figure("accuracy_by_votes", claim_figures.plot_accuracy_by_votes(table))
    voters = count_voters(compared.pairs)
    book.add_text("ceiling", ceiling_findings.about_ceiling(ceiling, table, voters))


def _add_power(book: Book, compared: Compared, models: dict[str, Predictions]) -> None:
    trials = compared.trials
    deviation = ceiling_tables.seed_deviation(trials[VALIDATION_F1], trials["freezing"])
    baseline = _baseline(compared, "test")
    least = ceiling_tables.least_differences({**models, REFERENCE: baseline}, REFERENCE)
    book.keep_numbers("least_differences", least)
    sentences = ceiling_findings.about_seeds(deviation, RANKED_WORDS["f1"])
    entities = int(baseline.entities.max()) + 1
    book.add_text("power", sentences + ceiling_findings.about_power(least, entities))


def _add_gaps(
    book: Book, compared: Compared, models: dict[str, Predictions], champion: Champion | None
) -> None:
    """Add how far validation lies above test, and the parts that this has."""
    if "validation" not in set(compared.predictions["split"]):
        return
    test = {**models, REFERENCE: _baseline(compared, "test")}
    validation = {**_models(compared, "validation"), REFERENCE: _baseline(compared, "validation")}
    rule = tables.threshold_rule(compared.trials)
    rules: dict[str, ThresholdRule] = dict.fromkeys(test, rule)
    if champion is not None:
        validation[CHAMPION], test[CHAMPION] = champion.validation, champion.test
        rules[CHAMPION] = champion.rule
    table = gap_tables.gaps(validation, test, REFERENCE, rules)
    epochs = gap_tables.epoch_parts(compared.epochs, compared.trials)
    if champion is not None:
        kept = gap_tables.epoch_parts(champion.epochs, champion.seeds)
        epochs = pd.concat([epochs, kept.assign(model=CHAMPION)], ignore_index=True)
    table = table.merge(epochs, on=["model", "metric"], how="left")
    written = gap_findings.written_gaps(table)
    book.keep_numbers("gaps_exact", table)
    book.add_text("gaps", gap_findings.about_gaps(table, REFERENCE))
    by_epoch = BY_EPOCH if "epoch_part" in written else ""
    absent = NO_EPOCHS if by_epoch and (written["epoch_part"] == DASH).any() else ""
    book.add_table("gaps", written, epoch=by_epoch + absent)


def _add_calibration(book: Book, compared: Compared, models: dict[str, Predictions]) -> None:
    """Add whether probabilities are right, and precision at every recall."""
    targets = calibration_tables.targets_of(compared.test)
    bins = calibration_tables.reliability(models, targets)
    curves = calibration_tables.precision_recall(models, targets)
    slopes = calibration_tables.platt_slopes(models, targets)
    seeds = sorted({len(found.seeds) for found in models.values()})
    words = {
        "votes": _BY_VOTES if calibration_tables.VOTES in targets else "",
        "bins": calibration_tables.BINS,
        "seeds": " or ".join(map(str, seeds)) + (" seed" if seeds == [1] else " seeds"),
    }
    book.keep_numbers("reliability", bins)
    book.keep_numbers("precision_recall", curves)
    book.keep_numbers("platt_slopes", slopes)
    book.add_text("calibration", calibration_findings.about_slopes(slopes))
    book.add_figure("reliability", calibration_figures.plot_reliability(bins), **words)
    figure = calibration_figures.plot_precision_recall(curves)
    book.add_figure("precision_recall", figure, **words)
