"""The plan that a search prints before it runs: data, encoder, search space and stages."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from measures.objective import RANKED_WORDS
from models.number_formats import Rates
from tuning.config.search_space import Axis, SearchSettings, describe
from tuning.data.prepared import Prepared
from tuning.execution.plan import (
    describe_cost,
    describe_precision,
    estimate_seconds,
    other_values,
    print_notices,
    source_rows,
)
from tuning.system.console import print_rows


def print_search_plan(
    prepared: Prepared,
    search: SearchSettings,
    console: Console,
    rates: Rates | None,
    log: Mapping[str, str],
) -> None:
    """Print what will run: notices first, then data, encoder, precision, stages and search space.

    Args:
        prepared: Experiment with its data and encoder.
        search: Settings of the search.
        console: Console to print on.
        rates: Measured rates of this machine; None if it was not measured yet.
        log: Rows on where the log is written.
    """
    print_notices(prepared, console)
    rounds, confirmed = describe_rounds(search)
    folds = prepared.experiment.validation.folds
    trainings = search.num_samples * (folds or search.seeds) + confirmed
    cost = describe_cost(estimate_seconds(prepared, rates, trainings), rates)
    limit = f", at most {_duration(search.time_budget)}" if search.time_budget else ""
    stopping = search.scheduler
    if stopping != "none":
        stopping += f" after {search.grace_period} epochs"
    seeds = "1 seed" if search.seeds == 1 else f"{search.seeds} seeds together"
    if folds:
        seeds = f"{folds} trainings, each validated on another fold of train and validation"
    rows = {
        "experiment": f"{prepared.experiment.name}, search of {search.num_samples} trials{limit}",
        **source_rows(prepared),
        "precision": describe_precision(prepared.experiment.precision, rates),
        **other_values(prepared),
        "each trial": f"{seeds}; early stopping: {stopping}",
        "ranked by": RANKED_WORDS[search.objective],
        **_more_epochs(prepared),
        "then": f"{rounds}, the winner once on test" + (", ablations" if search.ablations else ""),
        **log,
        "cost": f"{cost}; less by early stopping"
        + (", more by ablations" if search.ablations else ""),
    }
    print_rows(console, rows)
    for name, axis in prepared.experiment.space.items():
        console.print(f"    {name:<22} {describe_axis(axis)}", soft_wrap=True, highlight=False)


def describe_rounds(search: SearchSettings) -> tuple[str, int]:
    """Return the rounds of the confirmation in words, and the number of their trainings."""
    race = 0
    words = f"the best {search.confirm}"
    finalists = search.confirm
    if search.finalists is not None and search.confirm > search.finalists:
        race, finalists = search.confirm * search.racing_seeds, search.finalists
        words += f" on {_seeds(search.racing_seeds)} ({race} trainings), of these the best "
        words += str(finalists)
    final = finalists * search.fresh_seeds
    words += f" on {search.fresh_seeds} fresh seeds ({final} trainings)"
    return words, race + final


def _seeds(count: int) -> str:
    return f"{count} racing seed" + ("s" if count > 1 else "")


def _more_epochs(prepared: Prepared) -> dict[str, str]:
    """Return the row on epochs that ``min_steps`` adds to those drawn; none if it adds none."""
    fixed, fitted = prepared.experiment.trial, prepared.trials[0]
    if fitted.epochs == fixed.epochs:
        return {}
    pairs = len(prepared.pairs.splits["train"].labels)
    return {
        "epochs": f"at least {fitted.epochs} in batches of {fixed.batch_size}: {pairs} pairs give "
        f"few steps for min_steps {fixed.min_steps}; --set min_steps=0 keeps what is drawn"
    }


def describe_axis(axis: Axis) -> str:
    """Return the values, the scale and the condition of an axis as text."""
    scale = ", on a logarithmic scale" if axis.log else ""
    conditions = [f"{name} {' or '.join(map(str, wanted))}" for name, wanted in axis.when.items()]
    return f"{describe(axis)}{scale}" + (f"; for {', '.join(conditions)}" if conditions else "")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
