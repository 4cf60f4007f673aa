"""A grid search: run every trial, print the table of results and the next commands."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from measures.addresses import script
from measures.objective import VALIDATION_F1, flags_of, is_sound
from measures.passwords import hide_passwords
from models.checkpoint import CheckpointError
from models.encoder_files import EncoderError
from tuning.config.experiment import TrialConfig
from tuning.config.trial_values import varied_fields
from tuning.data.prepared import Prepared
from tuning.execution.context import open_context
from tuning.execution.node_checks import find_device
from tuning.execution.outcomes import Outcome, best_of_modes, finished_trials, model_folder, rank
from tuning.execution.trial_checkpoint import STATES
from tuning.execution.trial_spec import GRID, TrialSpec
from tuning.execution.tuner import run_specs
from tuning.system.console import save_picture
from tuning.system.project import activation
from tuning.system.storage_path import StoragePath
from tuning.system.time_left import exactly
from tuning.tracking.launch_folder import LaunchOptions, LaunchSettings, make_settings
from tuning.tracking.launch_log import FIGURES
from tuning.tracking.mlflow_pages import how_to_look
from tuning.tracking.record import Launch, keep_inputs, recording
from tuning.training.attention_maps import occlude_errors, write_occlusion

_SCORES = {"accuracy": "acc", "f1": "F1", "precision": "P", "recall": "R"}  # with their headers
_BOUNDLESS = 10_000  # characters, more than any table needs
_WIDE = 110  # characters of a terminal that has room for precision and recall


def run(prepared: Prepared, resumed: Path | None, options: LaunchOptions, console: Console) -> int:
    """Run a launch, print its results, and return 0 if every trial finished, else 1.

    Args:
        prepared: Experiment with its trials, data and encoder.
        resumed: Folder of the interrupted launch that is resumed; None to start a new one.
        options: Options of the command line.
        console: Console for progress, notices and results.

    Raises:
        LaunchError, TrackingError, JournalError, DiskError, ClusterError: If the launch cannot
            start or be completed; the message has the reason and the way out.
    """
    settings = make_settings(options, prepared.experiment.name, resumed)
    device = find_device(prepared.experiment.precision)
    with recording(prepared, settings, console, device) as launch:
        outcomes = rank(run_grid(launch))
        rows = [(outcome.config, outcome.metrics, outcome.cause) for outcome in outcomes]
        table = result_table(table_title(prepared), rows)
        picture = settings.folder / "table.svg"
        save_picture([table], picture, "python tuning/run_grid.py")
        launch.log.keep(picture, FIGURES)
    print_whole(result_table(table_title(prepared), rows, narrow=console.width < _WIDE), console)
    _print_next(outcomes, launch, options)
    return print_failed(outcomes, settings.storage, console)


def run_grid(launch: Launch) -> list[Outcome]:
    """Run every trial and return the outcomes in the order of the grid.

    Needs a Ray session. A trial that fails is recorded and does not stop the others. Trials that
    ended before a launch was interrupted are not run again.
    """
    prepared, settings, log = launch.prepared, launch.settings, launch.log
    names = trial_names(prepared.trials, prepared.experiment.grid)
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
    keep_occlusion(launch, rank(outcomes))
    failed = sum(outcome.cause is not None for outcome in outcomes)
    ranked = [outcome.metrics for outcome in rank(outcomes) if outcome.cause is None]
    best = next(filter(is_sound, ranked), {})
    log.end_parent(failed=failed, summary=best)
    (settings.storage / STATES).remove()
    return outcomes


def keep_occlusion(launch: Launch, ranked: list[Outcome]) -> None:
    """Record what each word does to the surest errors of the best trial of each freezing mode.

    The report explains them. Nothing is recorded twice, if the experiment asks for none, or if
    no trial learned; files that cannot be read are named.
    """
    path = launch.settings.folder / "occlusion.json"
    sound = [o for o in ranked if o.cause is None and o.folder and is_sound(o.metrics)]
    if not launch.prepared.experiment.occlusion or not sound:
        return
    saved = {o.name: (o.folder, o.metrics["threshold"]) for o in best_of_modes(sound) if o.folder}
    if not path.is_file():
        encoder, test = launch.prepared.encoder.folder, launch.prepared.pairs.splits["test"]
        try:
            found = occlude_errors(saved, encoder, test)
        except (OSError, CheckpointError, EncoderError) as error:
            notice = f"Notice: no word of an error was measured: {error}"
            launch.console.print(notice, markup=False)
            return
        write_occlusion(path, found)
    launch.log.keep(path, "explanations")


def trial_names(trials: list[TrialConfig], grid: Collection[str]) -> list[str]:
    """Return a name for each trial, also of its folder: its number, and its values that vary.

    Values that follow from others, as those of fields that are ``auto``, are left out.

    Args:
        trials: Trials of a grid.
        grid: Fields of the grid.
    """
    varied = [field for field in varied_fields(trials) if field in grid]
    return [
        "-".join([f"{number:02d}", *(str(getattr(trial, field)) for field in varied)])
        for number, trial in enumerate(trials, 1)
    ]


def table_title(prepared: Prepared) -> str:
    """Return the title of the table; it marks embedded data or an encoder that stands in."""
    data, encoder = prepared.data_source, prepared.encoder_source
    names = [
        f"{source.name} (stands in)" if source.notice else source.name
        for source in (data, encoder)
    ]
    return (
        f"{prepared.experiment.name}: data {names[0]}, encoder {names[1]}; test scores at 0.5 and "
        "at (*) the threshold chosen on validation"
    )


def result_table(
    title: str,
    rows: Iterable[tuple[TrialConfig, Mapping[str, float], str | None]],
    *,
    narrow: bool = False,
) -> Table:
    """Return the table of results, in the order of ``rows``.

    Args:
        title: Title of the table.
        rows: Configuration, final metrics, and cause of failure or None, of each trial.
        narrow: Whether to leave out precision and recall, so that 80 characters are enough.
    """
    rows, shown = list(rows), list(_SCORES)[: 2 if narrow else None]
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
    headers = ["val\nF1*", "test\nAUC", *(f"{_SCORES[name]}\n.5" for name in shown)]
    for header in [*headers, *(f"{_SCORES[name]}\n*" for name in shown)]:
        table.add_column(header, justify="right", no_wrap=True, min_width=4)
    table.add_column("flags", min_width=11)  # may wrap, so that no number is cut
    for config, metrics, cause in rows:
        names = [f"test_{score}{suffix}" for suffix in ("", "_at_threshold") for score in shown]
        scores = [_number(metrics, name) for name in (VALIDATION_F1, "test_auc", *names)]
        values = [str(getattr(config, name)) for name in varied]
        table.add_row(*values, *scores, _flags(metrics, cause))
    return table


def print_whole(table: Table, console: Console) -> None:
    """Print a table; where the terminal is too narrow its lines are longer, so nothing is cut."""
    boundless = console.options.update(max_width=_BOUNDLESS)
    needed = Measurement.get(console, boundless, table).minimum
    if needed > console.width:
        table.width = needed
    console.print(table, crop=False)


def _number(metrics: Mapping[str, float], name: str) -> str:
    """Return a score in four characters: .123, or 1.00."""
    if name not in metrics:
        return "-"
    return "1.00" if metrics[name] >= 0.9995 else f"{metrics[name]:.3f}".lstrip("0")


def _flags(metrics: Mapping[str, float], cause: str | None) -> str:
    return "failed" if cause is not None else ", ".join(flags_of(metrics))


def _print_next(outcomes: list[Outcome], launch: Launch, options: LaunchOptions) -> None:
    store = hide_passwords(launch.settings.tracking_uri)
    lines = [
        describe_time(options, launch.settings),
        f"Results: {launch.settings.folder}",
        f"Log:     {store}",
        "Next:",
        *activation(),
    ]
    best = model_folder(outcomes[0]) if outcomes else None
    if best is not None:
        lines.append(f"  {shlex.join(['python', script('tuning/reproduce.py'), str(best)])}")
    lines += how_to_look(launch.settings.tracking_uri, launch.delivery.page)
    launch.console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def describe_time(options: LaunchOptions, settings: LaunchSettings) -> str:
    """Return the line that says how long the command took, from its start to now."""
    since = " since it was resumed" if settings.resumed else ""
    return f"Took:    {exactly(time.monotonic() - options.started)}{since}"


def print_failed(outcomes: list[Outcome], storage: StoragePath, console: Console) -> int:
    """Print the trials that failed, their causes and logs; return 1 if there are any, else 0."""
    failed = [outcome for outcome in outcomes if outcome.cause is not None]
    if not failed:
        return 0
    for outcome in failed:
        console.print(Text(f"{outcome.name}: {outcome.cause}", style="red"), soft_wrap=True)
    logs = ", ".join(
        f"{outcome.name} ({storage / outcome.relative_folder / 'error.txt'})" for outcome in failed
    )
    text = f"failed: {len(failed)} of {len(outcomes)} trials: {logs}"
    console.print(Text(text, style="red"), soft_wrap=True)
    return 1
