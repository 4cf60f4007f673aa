"""One search as the user sees it: start or resume, run, print the tables and the next commands."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import pandas as pd
from optuna.exceptions import OptunaError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from measures.addresses import script
from measures.objective import SEED_MEAN, Objective
from measures.passwords import hide_passwords
from tuning.config.search_space import SearchSettings
from tuning.data.prepared import Prepared
from tuning.execution.grid import describe_time, print_failed
from tuning.execution.node_checks import find_device
from tuning.execution.outcomes import Outcome
from tuning.execution.ray_session import ray_session
from tuning.search.champion import BASELINE, ENSEMBLE, MODEL, ChampionScores
from tuning.search.confirmation import FINAL, RACE, SearchError, seed_values
from tuning.search.context import open_search, open_study
from tuning.search.pipeline import find_champion, join_search
from tuning.search.result import SearchResult
from tuning.search.study import StudyError, announced
from tuning.search.warm_start import seed_study
from tuning.system.console import save_picture
from tuning.system.project import activation
from tuning.tracking.launch_folder import LaunchOptions, make_output, make_settings
from tuning.tracking.launch_log import FIGURES
from tuning.tracking.mlflow_pages import how_to_look
from tuning.tracking.record import Launch, recording


def run(
    prepared: Prepared,
    search: SearchSettings,
    resumed: Path | None,
    options: LaunchOptions,
    console: Console,
) -> int:
    """Run a search, print its results and return 0; 1 if there is no champion or a trial failed.

    Args:
        prepared: The experiment with its data and encoder.
        search: Settings of the search.
        resumed: Folder of the interrupted launch to resume; None starts a new one.
        options: Options of the command line.
        console: Terminal that shows progress and results.

    Raises:
        StudyError, TrackingError: If the study or the log cannot be used.
    """
    make_output(options.output)
    storage = options.study_storage
    try:
        study = open_study(prepared, search, storage)
        if resumed is None and not options.join:
            seed_study(study, prepared, search, options.tracking_uri, console)
        joins = announced(study, search.seed) if options.join else None
        settings = make_settings(options, prepared.experiment.name, resumed)
        with ray_session(settings.address, search.max_concurrent or search.num_samples):
            device = find_device(prepared.experiment.precision)
            with recording(prepared, settings, console, device) as launch:
                begun = open_search(launch, search, study, joins)
                if joins is not None:
                    return _print_joined(join_search(begun), launch)
                result = find_champion(begun)
                tables = result_tables(result, begun.objective)
                _keep_picture(tables, launch)
    except OptunaError as error:
        raise StudyError(f"storage: {hide_passwords(f'{storage}: {error}')}") from error
    except SearchError as error:
        console.print(Text(f"failed: {error}", style="red"), soft_wrap=True)
        return 1
    _print_result(tables, summarize(result, begun.objective), console)
    _print_next(launch, options)
    return print_failed(result.tried, settings.storage, console)


def _print_joined(outcomes: list[Outcome], launch: Launch) -> int:
    """Say what was trained for another driver's search; return 1 if a trial failed, else 0."""
    words = f"{len(outcomes)} configurations were trained; the search that was joined goes on"
    launch.console.print(words, soft_wrap=True)
    return print_failed(outcomes, launch.settings.storage, launch.console)


def result_tables(result: SearchResult, objective: Objective) -> list[Table]:
    """Return the tables of the confirmation, of the ablations if there are any, and of test."""
    ablations = [ablation_table(result.ablations, objective)] if len(result.ablations) else []
    return [rounds_table(result, objective), *ablations, champion_table(result.scored)]


def rounds_table(result: SearchResult, objective: Objective) -> Table:
    """Return the table of race and final: one row per round and configuration, best first.

    A seed that failed counts as the floor of the objective.
    """
    table = _table(
        f"Confirmed on fresh seeds: {objective.words}",
        ["round", "configuration", "in the search", "mean", "std", "by seed", ""],
    )
    marks = {RACE: "finalist", FINAL: "champion"}
    for stage, rows in result.rounds.groupby("round", sort=False):
        groups = [group for _, group in rows.groupby("configuration", sort=False)]
        for group in sorted(groups, key=lambda group: -group["value"].mean()):
            first = group.iloc[0]
            table.add_row(
                str(stage),
                f"{first['configuration']} (trial {first['trial']})",
                _score(first["searched"]),
                _score(group["value"].mean()),
                _score(group["value"].std()) if len(group) > 1 else "",
                " ".join(map(_score, group["value"])),
                marks[str(stage)] if first["chosen"] else "",
            )
    return table


def ablation_table(ablations: pd.DataFrame, objective: Objective) -> Table:
    """Return the table of the ablations: the value with and without each option.

    The verdict names the seeds that failed, if any did.
    """
    seeds = int(ablations["seeds"].max())
    header = ["option", "on is", "with", "without", "gain, points [95 %]", "p", "verdict"]
    table = _table(
        f"Ablations: {objective.words} over {seeds} fresh seeds; intervals and p over seeds and "
        "entities, p corrected (Holm)",
        [*header, "champion"],
    )
    for row in ablations.to_dict("records"):
        table.add_row(
            str(row["lever"]),
            str(row["on"]),
            f"{_score(row['with'])} ± {_score(row['with_std'])}",
            f"{_score(row['without'])} ± {_score(row['without_std'])}",
            f"{_points(row['gain'])} [{_points(row['low'])}, {_points(row['high'])}]",
            _score(row["p_holm"]),
            f"{row['verdict']} ({row['failed']} failed)" if row["failed"] else row["verdict"],
            "on" if row["used"] else "off",
        )
    return table


def champion_table(scored: ChampionScores) -> Table:
    """Return the scores on test of champion, ensemble and baseline, at both thresholds."""
    metrics = ("accuracy", "f1", "precision", "recall", "auc")
    names = ["accuracy", "F1", "precision", "recall", "AUC"]
    table = _table(
        "Test, scored once: mean ± standard deviation over seeds, [95 % over seeds and entities]",
        ["model", "threshold", *names],
    )
    rows = scored.scores.to_dict("records")
    cells = {(row["model"], row["threshold"], row["metric"]): row for row in rows}
    for model in (MODEL, ENSEMBLE, BASELINE):
        for threshold in ("0.5", "validation"):
            row = []
            for metric in metrics:
                cell = cells[model, threshold, metric]
                std = f" ± {_score(cell['std'])}" if cell["seeds"] > 1 else ""
                row.append(
                    f"{_score(cell['mean'])}{std}\n[{_score(cell['low'])}, {_score(cell['high'])}]"
                )
            table.add_row(model, threshold, *row)
    return table


def _table(title: str, columns: list[str]) -> Table:
    table = Table(
        title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    return table


def _score(value: float) -> str:
    """Return a score with three decimals as ``.712``; a dash if it is missing."""
    return "-" if math.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)


def _points(value: float) -> str:
    """Return a difference of scores in points as ``+1.2``; a dash if it is missing."""
    return "-" if math.isnan(value) else f"{100 * value:+.1f}"


def summarize(result: SearchResult, objective: Objective) -> str:
    """Return a sentence: the champion's value in each stage and its difference to the baseline."""
    metrics = result.scored.metrics
    searched = result.best.metrics[SEED_MEAN]
    values = seed_values(result.champion, objective)
    confirmed = sum(values) / len(values)
    test = metrics[objective.on_test]
    low, high = metrics["over_baseline_f1_low"], metrics["over_baseline_f1_high"]
    return (
        f"{objective.words[0].upper()}{objective.words[1:]}: {_score(searched)} in the search, "
        f"{_score(confirmed)} confirmed ({100 * (confirmed - searched):+.1f} points), "
        f"{_score(test)} on test ({100 * (test - confirmed):+.1f}). "
        f"Test F1 compared with {BASELINE}: "
        f"{100 * metrics['over_baseline_f1']:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}], "
        f"p = {metrics['over_baseline_p']:.3f} (bootstrap over seeds and entities, corrected)."
    )


def _keep_picture(tables: list[Table], launch: Launch) -> None:
    """Write the tables as a picture into the launch's folder, and log it."""
    picture = launch.settings.folder / "champion.svg"
    save_picture(tables, picture, "python tuning/run_search.py")
    launch.log.keep(picture, FIGURES)


def _print_result(tables: list[Table], summary: str, console: Console) -> None:
    for table in tables:
        console.print(table)
    console.print(Text(summary), soft_wrap=True)


def _print_next(launch: Launch, options: LaunchOptions) -> None:
    settings, study = launch.settings, hide_passwords(options.study_storage)
    store, champion = hide_passwords(settings.tracking_uri), str(settings.folder / "champion")
    lines = [
        describe_time(options, settings),
        f"Results: {settings.folder}",
        f"Log:     {store}",
        f"Study:   {study}",
        "Next:",
        *activation(),
        f"  {shlex.join(['python', script('tuning/reproduce.py'), champion])}",
        f"  {shlex.join(['optuna-dashboard', study])}",
        *how_to_look(settings.tracking_uri, launch.delivery.page),
    ]
    launch.console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)
