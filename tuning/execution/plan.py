"""The plan that is printed before a launch: data, encoder, trials, devices and estimated cost."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from tuning.config.experiment import TrialConfig, varied_fields
from tuning.data.prepared import Prepared
from tuning.system.console import notify, print_rows

# Operations per second that one core reaches; measured: "Against the machine", docs/results.md.
_CORE_RATE = 70e9  # in training: between the rates of a head and of trained layers
_FROZEN_CORE_RATE = 110e9  # in the frozen pass, whose batches are larger
_SECONDS_PER_TRIAL = 2.0  # start of a process, final scores, files, log
_SECONDS_PER_LAUNCH = 10.0  # start of Ray and reading of the data
_HEAD_OPERATIONS = 6  # per weight and token: 2 forward (multiply, add), 4 backward


def print_plan(prepared: Prepared, console: Console) -> None:
    """Print the plan: notices first, then data, encoder, trials, devices and cost."""
    print_notices(prepared, console)
    cores, minutes = os.cpu_count() or 1, estimate_seconds(prepared) / 60
    rows = {
        "experiment": f"{prepared.experiment.name}, {len(prepared.trials)} trials",
        **source_rows(prepared),
        "frozen layers": ", ".join(
            f"{depth} of {prepared.encoder.layers}" for depth in prepared.depths
        ),
        "targets": ", ".join(sorted({trial.targets for trial in prepared.trials})),
        "devices": f"every GPU that Ray finds, else {cores} CPU cores, one trial each",
        "cost": f"about {max(minutes, 0.1):.1f} minutes on these {cores} cores without a GPU",
    }
    print_rows(console, rows)
    console.print(_trial_lines(prepared.trials), soft_wrap=True)


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


def _joined(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


def _trial_lines(trials: list[TrialConfig]) -> Text:
    varied = varied_fields(trials)
    lines = []
    for number, trial in enumerate(trials, 1):
        values = "  ".join(f"{name} {getattr(trial, name)}" for name in varied)
        lines.append(f"  {number:3d}  {values or 'one trial'}")
    return Text("\n".join(lines))


def estimate_seconds(prepared: Prepared) -> float:
    """Return a rough estimate of the launch's seconds on this machine's cores, without a GPU.

    Only operations of matrices are counted: for each weight and token two forward, and four more
    backward where the weight is trained.
    """
    encoder, splits = prepared.encoder, prepared.tokens.splits
    all_tokens = sum(len(table.tokens) for table in splits.values())
    layer = 2 * encoder.layer_parameters
    cores = os.cpu_count() or 1
    frozen = sum(all_tokens * depth * layer for depth in prepared.depths)
    training = 0.0
    for trial in prepared.trials:
        orders = 2 if trial.both_orders else 1
        table = splits["train"]
        tokens = len(table.tokens) * table.pairs / table.rows
        scored = orders * len(splits["validation"].tokens) * splits["validation"].pairs
        scored = scored / splits["validation"].rows
        head = (encoder.width + 4 * trial.head_width) * trial.head_width
        upper = layer * (encoder.layers - prepared.depth_of(trial))
        epoch = tokens * (_HEAD_OPERATIONS * head + 3 * upper) + scored * (2 * head + upper)
        training += trial.epochs * epoch / _CORE_RATE + _SECONDS_PER_TRIAL
    return (
        frozen / (_FROZEN_CORE_RATE * cores)
        + training / min(cores, len(prepared.trials))
        + _SECONDS_PER_LAUNCH
    )
