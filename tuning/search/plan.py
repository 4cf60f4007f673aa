"""The plan that a search prints before it runs: data, encoder, search space and stages."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from models.number_formats import Rates
from tuning.config.search_space import Axis, SearchSettings, describe
from tuning.data.prepared import Prepared
from tuning.execution.plan import describe_precision, print_notices, source_rows
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
    confirmed = search.confirm * search.fresh_seeds
    limit = f", at most {_duration(search.time_budget)}" if search.time_budget else ""
    stopping = search.scheduler
    if stopping != "none":
        stopping += f" after {search.grace_period} epochs"
    seeds = "1 seed" if search.seeds == 1 else f"{search.seeds} seeds together"
    rows = {
        "experiment": f"{prepared.experiment.name}, search of {search.num_samples} trials{limit}",
        **source_rows(prepared),
        "precision": describe_precision(prepared.experiment.precision, rates),
        "each trial": f"{seeds}; early stopping: {stopping}",
        "then": f"the best {search.confirm} on {search.fresh_seeds} fresh seeds ({confirmed} "
        "trainings), the winner once on test" + (", ablations" if search.ablations else ""),
        **log,
    }
    print_rows(console, rows)
    for name, axis in prepared.experiment.space.items():
        console.print(f"    {name:<22} {describe_axis(axis)}", soft_wrap=True, highlight=False)


def describe_axis(axis: Axis) -> str:
    """Return the values, the scale and the condition of an axis as text."""
    scale = ", on a logarithmic scale" if axis.log else ""
    conditions = [f"{name} {' or '.join(map(str, wanted))}" for name, wanted in axis.when.items()]
    return f"{describe(axis)}{scale}" + (f"; for {', '.join(conditions)}" if conditions else "")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
