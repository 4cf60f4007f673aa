"""The plan that is printed before a launch: data, encoder, trials, devices and estimated cost."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.text import Text

from measures.addresses import store_rows
from models.number_formats import Precision, Rates
from models.state_files import fits_memory
from tuning.config.experiment import TrialConfig
from tuning.config.trial_values import varied_fields
from tuning.data.prepared import Prepared
from tuning.system.atomic_files import DiskError
from tuning.system.console import notify, print_rows
from tuning.system.machine import count_cores, describe_rates
from tuning.system.time_left import about
from tuning.training.cost import (
    ACTIVATIONS,
    END_SECONDS,
    WAYS_OUT,
    epoch_seconds,
    expected_speed,
    frozen_seconds,
    states_bytes,
    usual_rates,
)

_SECONDS_PER_LAUNCH = 12.0  # start of Ray, reading of data and encoder, closing of the log


def print_plan(
    prepared: Prepared, console: Console, rates: Rates | None, log: Mapping[str, str]
) -> None:
    """Print the plan: notices first, then data, encoder, trials, devices, precision and cost.

    Args:
        prepared: Experiment with its trials, data and encoder.
        console: Console to print on.
        rates: Measured rates of this machine; None if it was not measured yet.
        log: Rows on where states and log are written.
    """
    print_notices(prepared, console)
    cores = count_cores()
    rows = {
        "experiment": f"{prepared.experiment.name}, {len(prepared.trials)} trials",
        **source_rows(prepared),
        "frozen layers": ", ".join(
            f"{depth} of {prepared.encoder.layers}" for depth in prepared.depths
        ),
        "epochs": _describe_epochs(prepared),
        "targets": ", ".join(sorted({trial.targets for trial in prepared.trials})),
        **other_values(prepared),
        "devices": f"every GPU that Ray finds, else {cores} CPU cores, one trial each",
        "precision": describe_precision(prepared.experiment.precision, rates),
        "cost": describe_cost(estimate_seconds(prepared, rates), rates),
        **log,
    }
    print_rows(console, rows)
    console.print(_trial_lines(prepared.trials), soft_wrap=True)


def other_values(prepared: Prepared) -> dict[str, str]:
    """Return the row on what is the same in all trials and not the default; none if nothing is."""
    experiment = prepared.experiment
    told = {"freezing", "epochs", "min_steps", "targets", *experiment.grid, *experiment.space}
    usual = TrialConfig.model_validate({}).model_dump()
    values = [
        f"{name} {value}"
        for name, value in experiment.trial.model_dump().items()
        if name not in told and value != usual[name]
    ]
    return {"always": ", ".join(values)} if values else {}


def _describe_epochs(prepared: Prepared) -> str:
    """Return the epochs of a grid's trials, and why they are more than the experiment says."""
    asked = sorted({trial.epochs for trial in prepared.experiment.trials()})
    epochs = sorted({trial.epochs for trial in prepared.trials})
    if epochs == asked:
        return ", ".join(map(str, epochs))
    fewest = ", ".join(map(str, sorted({trial.min_steps for trial in prepared.trials})))
    pairs = len(prepared.pairs.splits["train"].labels)
    return (
        f"{', '.join(map(str, epochs))}, not {', '.join(map(str, asked))}: {pairs} pairs give too "
        f"few steps for min_steps {fewest}; --set min_steps=0 keeps {', '.join(map(str, asked))}"
    )


def describe_precision(wanted: str, rates: Rates | None) -> str:
    """Return the plan's row on precision.

    Args:
        wanted: ``auto``, ``float32`` or ``bfloat16``.
        rates: Measured rates of this machine; None if it was not measured yet.
    """
    if wanted != "auto":
        return f"{wanted}, as the experiment says"
    if rates is None:
        return "float32 or bfloat16, what is faster here: measured at the first launch"
    return describe_rates(rates)


def describe_cost(seconds: float, rates: Rates | None) -> str:
    """Return the plan's row on cost: a duration, and what it was computed from.

    Args:
        seconds: Estimate of the launch's seconds.
        rates: Measured rates of this machine; None if it was not measured yet.
    """
    cores = count_cores()
    if rates is None:
        return (
            f"{about(seconds)} on {cores} cores of a usual machine without a GPU; this one is "
            "measured at the first launch"
        )
    return f"{about(seconds)} on these {cores} cores without a GPU, by what was measured on them"


def print_notices(prepared: Prepared, console: Console) -> None:
    """Print a line for each thing that was replaced or cut."""
    for notice in prepared.notices:
        notify(console, notice)


def source_rows(prepared: Prepared) -> dict[str, str]:
    """Return the plan's rows on data and encoder: names, sizes and folders."""
    encoder, tokens = prepared.encoder, prepared.tokens
    pairs = {name: table.pairs for name, table in tokens.splits.items()}
    length = tokens.splits["train"].lengths.mean()
    return {
        "data": f"{prepared.data_source.name}: {_joined(pairs)} pairs, {length:.0f} word pieces "
        f"a pair ({prepared.data_source.folder})",
        "encoder": f"{prepared.encoder_source.name}: {encoder.architecture}, {encoder.layers} "
        f"layers of width {encoder.width} ({prepared.encoder_source.folder})",
    }


def place_rows(
    prepared: Prepared, rates: Rates | None, output: Path, store: str
) -> dict[str, str]:
    """Return the plan's rows on states and log.

    Args:
        prepared: Experiment with its trials, data and encoder.
        rates: Measured rates of this machine; None if it was not measured yet.
        output: Folder of results.
        store: Address of the MLflow store.

    Raises:
        DiskError: If there is no room for the states that are still to compute.
    """
    _, missing = states_bytes(prepared, rates, output / ACTIVATIONS)
    free = _free_bytes(output)
    if missing > free:
        raise DiskError(
            f"{output}: the states of the frozen layers need {_size(missing)} and {_size(free)} "
            f"are free: {WAYS_OUT}"
        )
    return states_rows(prepared, rates, output) | store_rows(store)


def states_rows(prepared: Prepared, rates: Rates | None, output: Path) -> dict[str, str]:
    """Return the plan's row on the states of frozen layers that are kept; none if none are.

    Args:
        prepared: Experiment with its trials, data and encoder.
        rates: Measured rates of this machine; None if it was not measured yet.
        output: Folder of results, in which ``activations`` holds the states.
    """
    whole, missing = states_bytes(prepared, rates, output / ACTIVATIONS)
    if not whole:
        return {}
    means = any(mean for *_, mean in map(prepared.variant_of, prepared.input_variants))
    parts = [
        f"{_size(whole)} in {output / ACTIVATIONS}",
        f"{_size(missing)} still to compute" if missing else "all are there",
        f"{_size(_free_bytes(output))} are free",
        *(["for layer_mean the mean of all layers beside the highest's"] if means else []),
        *([] if fits_memory(whole) else ["read from there in each epoch"]),
    ]
    return {"states": "; ".join(parts)}


def _free_bytes(output: Path) -> int:
    existing = next(path for path in (output, *output.parents) if path.is_dir())
    return shutil.disk_usage(existing).free


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _joined(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


def _trial_lines(trials: list[TrialConfig]) -> Text:
    varied = varied_fields(trials)
    lines = []
    for number, trial in enumerate(trials, 1):
        values = "  ".join(f"{name} {getattr(trial, name)}" for name in varied)
        lines.append(f"  {number:3d}  {values or 'one trial'}")
    return Text("\n".join(lines))


def estimate_seconds(
    prepared: Prepared, rates: Rates | None, trainings: int | None = None
) -> float:
    """Return a rough estimate of the launch's seconds on this machine's cores, without a GPU.

    Args:
        prepared: Experiment with its trials, data and encoder.
        rates: Measured rates of this machine; None if it was not measured yet.
        trainings: Number of trainings that take as long as the trials on average; None: the trials
            themselves.
    """
    cores = count_cores()
    wanted = prepared.experiment.precision
    known = rates or usual_rates(cores)
    speed = expected_speed(
        known, known.choose() if wanted == "auto" else Precision(wanted, wanted)
    )
    trials = [
        END_SECONDS + trial.epochs * epoch_seconds(prepared, trial, speed)
        for trial in prepared.trials
    ]
    total = sum(trials) if trainings is None else trainings * mean(trials)
    training = max(total / cores, max(trials))
    return _SECONDS_PER_LAUNCH + frozen_seconds(prepared, speed) + training
