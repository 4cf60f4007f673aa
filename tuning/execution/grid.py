"""One launch as the user sees it: run the trials, print the table and what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from measures.objective import VALIDATION_F1, flags_of
from measures.passwords import hide_passwords
from tuning.config.experiment import TrialConfig, varied_fields
from tuning.data.prepared import Prepared
from tuning.execution.context import open_context
from tuning.execution.outcomes import Outcome, finished_trials, model_folder, rank
from tuning.execution.trial_checkpoint import STATES
from tuning.execution.trial_spec import GRID, TrialSpec
from tuning.execution.tuner import run_specs
from tuning.system.console import save_picture
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_folder import LaunchOptions, LaunchSettings, make_settings
from tuning.tracking.launch_log import FIGURES
from tuning.tracking.record import Launch, keep_inputs, recording

_AT = "_at_threshold"
_SCORES = ("accuracy", "f1", "precision", "recall")
_HEADERS = ("acc", "F1", "P", "R")


def run(prepared: Prepared, resumed: Path | None, options: LaunchOptions, console: Console) -> int:
    """Return 0 if every trial finished, else 1, after printing the results.

    Args:
        prepared: The experiment.
        resumed: The folder of the interrupted launch that is resumed; None to begin one.
        options: The command line's.
        console: Shows all of it.
    """
    settings = make_settings(options, prepared.experiment.name, resumed)
    with recording(prepared, settings, console) as launch:
        outcomes = rank(run_grid(launch))
        rows = [(outcome.config, outcome.metrics, outcome.cause) for outcome in outcomes]
        table = result_table(table_title(prepared), rows)
        picture = settings.folder / "table.svg"
        save_picture([table], picture, "python tuning/run_grid.py")
        launch.log.keep(picture, FIGURES)
    console.print(table)
    _print_next(outcomes, settings, options, console)
    return print_failed(outcomes, settings.storage, console)


def run_grid(launch: Launch) -> list[Outcome]:
    """Run every trial and return the outcomes in the order of the grid.

    A trial that fails is recorded and does not stop the others. Those that a resumed launch has
    behind it are not run again. Needs a Ray session.
    """
    prepared, settings, log = launch.prepared, launch.settings, launch.log
    names = trial_names(prepared.trials)
    specs = [
        TrialSpec(name=name, trial=trial)
        for name, trial in zip(names, prepared.trials, strict=True)
    ]
    done = finished_trials(launch, GRID, names)
    left = [spec for spec in specs if spec.name not in done]
    with ThreadPoolExecutor(1) as aside:
        kept = aside.submit(keep_inputs, launch)
        context = open_context(launch) if left else None
        kept.result()
    if context is not None:
        done |= run_specs(context, left)
    outcomes = [done[name] for name in names]
    failed = sum(outcome.cause is not None for outcome in outcomes)
    best = rank(outcomes)[0].metrics if outcomes else {}
    log.end_parent(failed=failed, summary=best)
    (settings.storage / STATES).remove()
    return outcomes


def trial_names(trials: list[TrialConfig]) -> list[str]:
    """Return a name for each trial: its number and what sets it apart; safe as a folder's name."""
    varied = varied_fields(trials)
    return [
        "-".join([f"{number:02d}", *(str(getattr(trial, field)) for field in varied)])
        for number, trial in enumerate(trials, 1)
    ]


def print_failed(outcomes: list[Outcome], storage: StoragePath, console: Console) -> int:
    """Name the trials that failed and their logs in a last line; return 1 if there are any."""
    failed = [outcome for outcome in outcomes if outcome.cause is not None]
    if not failed:
        return 0
    for outcome in failed:
        console.print(Text(f"{outcome.name}: {outcome.cause}", style="red"), soft_wrap=True)
    logs = ", ".join(f"{o.name} ({storage / o.relative_folder / 'error.txt'})" for o in failed)
    text = f"failed: {len(failed)} of {len(outcomes)} trials: {logs}"
    console.print(Text(text, style="red"), soft_wrap=True)
    return 1


def _print_next(
    outcomes: list[Outcome], settings: LaunchSettings, options: LaunchOptions, console: Console
) -> None:
    store = hide_passwords(settings.tracking_uri)
    lines = [f"Results: {settings.folder}", f"Log:     {store}", "Next:"]
    best = model_folder(outcomes[0]) if outcomes else None
    if best is not None:
        lines.append(f"  python tuning/reproduce.py {best}")
    ui = f"mlflow ui --backend-store-uri {store}" if not options.own_store else "make ui"
    lines.append(f"  {ui:<60}  compare the trials in a browser")
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def result_table(
    title: str, rows: Iterable[tuple[TrialConfig, Mapping[str, float], str | None]]
) -> Table:
    """Return the table of outcomes, in the order given.

    Args:
        title: Names experiment, data and encoder.
        rows: Configuration, final metrics, and the cause of a failure, of each trial.
    """
    rows = list(rows)
    varied = varied_fields([config for config, _, _ in rows])
    table = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in varied:
        table.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    scores = ["val\nF1*", "test\nAUC", *(f"{name}\n.5" for name in _HEADERS)]
    for name in [*scores, *(f"{name}\n*" for name in _HEADERS)]:
        table.add_column(name, justify="right", no_wrap=True, min_width=4)
    table.add_column("flags", no_wrap=True)
    for config, metrics, cause in rows:
        names = [f"test_{metric}{suffix}" for suffix in ("", _AT) for metric in _SCORES]
        scores = [_number(metrics, name) for name in (VALIDATION_F1, "test_auc", *names)]
        settings = [str(getattr(config, name)) for name in varied]
        table.add_row(*settings, *scores, _flags(metrics, cause))
    return table


def _number(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.3f}".lstrip("0") if name in metrics else "-"


def _flags(metrics: Mapping[str, float], cause: str | None) -> str:
    return "failed" if cause is not None else ", ".join(flags_of(metrics))


def table_title(prepared: Prepared) -> str:
    """Return the table's title, which says when an embedded default stood in."""
    data, encoder = prepared.data_source, prepared.encoder_source
    names = [f"{s.name} (stands in)" if s.notice else s.name for s in (data, encoder)]
    return (
        f"{prepared.experiment.name}: data {names[0]}, encoder {names[1]}; test scores at 0.5 and "
        "at (*) the threshold with the best validation F1"
    )
