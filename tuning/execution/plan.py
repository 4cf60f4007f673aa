"""What a user reads: the plan before the trials, the table after them, the next commands."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from tuning.config.experiment import TrialConfig, varied_fields
from tuning.data.prepared import Prepared
from tuning.system.console import notify, print_rows

_CORE_RATE = 70e9  # operations a second of one core here in training, see README
_FROZEN_CORE_RATE = 110e9  # the same in the frozen pass, whose batches are larger
_SECONDS_PER_TRIAL = 2.0  # start of a process, final scores, files, log: shared among trials
_HEAD_OPERATIONS = 6  # forward and backward, a multiplication and an addition of each weight


def print_plan(prepared: Prepared, console: Console) -> None:
    """Print what will run: notices first, then data, encoder, trials, devices and cost."""
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
    """Print what was replaced or cut, a line each."""
    for notice in prepared.notices:
        notify(console, notice)


def source_rows(prepared: Prepared) -> dict[str, str]:
    """Return data and encoder in words: what they are, how much, and where."""
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
    """Return about how long the trials take on this machine's cores, without a GPU.

    Counted in operations of matrices only: two for each weight a token passes forward, four more
    backward where layers are trained.
    """
    encoder, splits = prepared.encoder, prepared.tokens.splits
    every = sum(len(table.tokens) for table in splits.values())
    layer = 2 * encoder.layer_parameters
    cores = os.cpu_count() or 1
    frozen = sum(every * depth * layer for depth in prepared.depths) / (_FROZEN_CORE_RATE * cores)
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
    return frozen + training / min(cores, len(prepared.trials)) + 10
