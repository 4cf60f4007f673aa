"""The seconds that trials take on a machine's cores: operations of matrices at measured rates."""

from __future__ import annotations

from dataclasses import dataclass

from models.number_formats import BFLOAT16, FLOAT32, Precision, Rates
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared

# Shares of a layer's rate that real work reaches: docs/results.md, "What a plan is computed from".
# A little below those measured for one trial: trials side by side share caches and memory.
_FROZEN_SHARE = 0.9
_TRAINED_SHARE = 0.8  # dropout, clipping and the optimizer's step come on top
_HEAD_SHARE = 0.4  # of float32: small matrices between many light operations
_HEAD_OPERATIONS = 6  # per weight and token: 2 forward (multiply, add), 4 backward
END_SECONDS = 2.0  # start of a trial, its final scores, files and log
# Rates of a core of a usual machine, until this one is measured: an EPYC with bfloat16.
_USUAL = {FLOAT32: 75e9, BFLOAT16: 145e9}


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """The operations per second that each kind of work reaches on a machine.

    Attributes:
        frozen: Pass of the frozen layers, on all cores.
        trained: Training of layers, on one core.
        head: Training of a head, on one core.
    """

    frozen: float
    trained: float
    head: float


def usual_rates(cores: int) -> Rates:
    """Return the rates of a usual machine with this number of cores, for one not measured yet."""
    return Rates(frozen={name: cores * rate for name, rate in _USUAL.items()}, trained=_USUAL)


def expected_speed(rates: Rates, precision: Precision) -> Speed:
    """Return what real work reaches on a machine whose layer rates were measured.

    Formats that only GPUs use count as float32.
    """
    return Speed(
        frozen=_FROZEN_SHARE * rates.frozen.get(precision.frozen, rates.frozen[FLOAT32]),
        trained=_TRAINED_SHARE * rates.trained[precision.trained],
        head=_HEAD_SHARE * rates.trained[FLOAT32],
    )


def frozen_seconds(prepared: Prepared, speed: Speed) -> float:
    """Return the seconds of the frozen layers' passes over all splits, if nothing is cached."""
    work = sum(  # tokens times layers
        len(table.tokens) * prepared.depth_of(trial)
        for trial in prepared.input_variants
        for table in prepared.encoded[trial.encoding].splits.values()
    )
    return work * 2 * prepared.encoder.layer_parameters / speed.frozen


def epoch_seconds(prepared: Prepared, trial: TrialConfig, speed: Speed) -> float:
    """Return the seconds of an epoch of a trial on one core: training, and validation after it.

    Counted are two operations forward for each weight and token, and four more backward where the
    weight is trained.
    """
    encoder, splits = prepared.encoder, prepared.encoded[trial.encoding].splits
    train, validation = splits["train"], splits["validation"]
    trained = train.lengths.sum() * train.pairs / train.rows
    scored = validation.lengths.sum() * validation.pairs / validation.rows
    scored *= 2 if trial.both_orders else 1
    head = (encoder.width + 4 * trial.head_width) * trial.head_width
    upper = 2 * encoder.layer_parameters * (encoder.layers - prepared.depth_of(trial))
    return (
        head * (_HEAD_OPERATIONS * trained + 2 * scored) / speed.head
        + upper * (3 * trained + scored) / speed.trained
    )
