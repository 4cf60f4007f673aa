"""The seconds that trials take on a machine's cores, and the states that they keep on disk.

Seconds are operations of matrices at measured rates.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from models.number_formats import BFLOAT16, FLOAT32, Precision, Rates
from models.state_files import read
from models.tokens import Encoding
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared

# Shares of a layer's rate that real work reaches: docs/results.md, "What a plan is computed from".
# A little below those measured for one trial: trials side by side share caches and memory.
_FROZEN_SHARE = 0.9
_TRAINED_SHARE = 0.8  # dropout, clipping and the optimizer's step come on top
_HEAD_SHARE = 0.35  # of float32: small matrices between many light operations
_HEAD_OPERATIONS = 6  # per weight and token: 2 forward (multiply, add), 4 backward
END_SECONDS = 2.0  # start of a trial, its final scores, files and log
ACTIVATIONS = "activations"  # folder of the states, within that of results
# What to do where there is no room for states, as the end of a sentence.
WAYS_OUT = (
    "free some space, or name a folder on a larger disk by --output, or run the frozen layers in "
    "every epoch by --no-cache-activations"
)
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
    depths: dict[Encoding, int] = {  # the deepest: variants are in the order of their depths
        trial.encoding: prepared.depth_of(trial) for trial in prepared.input_variants
    }
    work = sum(  # tokens times layers
        len(table.tokens) * depth
        for encoding, depth in depths.items()
        for table in prepared.encoded[encoding].splits.values()
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


def states_bytes(prepared: Prepared, rates: Rates | None, folder: Path) -> tuple[int, int]:
    """Return the bytes of all states that are kept, and of those whose file is not there.

    On a machine that was not measured yet, numbers of two bytes are counted, the least that there
    can be. A file that is there is known by the sizes in it.

    Args:
        prepared: Experiment with its trials, data and encoder.
        rates: Measured rates of this machine; None if it was not measured yet.
        folder: Folder of the files.
    """
    wanted, there = prepared.experiment.precision, []
    if wanted == "auto" and rates is not None:
        wanted = rates.choose().frozen
    for path in folder.glob("*.safetensors"):
        with suppress(OSError, ValueError):  # a damaged one is computed again
            there.append({split: own.nbytes for split, own in read(path)[0].items()})
    files = _bytes_of_files(prepared, 4 if wanted == FLOAT32 else 2)
    missing = [file for file in files if file not in there]
    return sum(sum(file.values()) for file in files), sum(sum(file.values()) for file in missing)


def _bytes_of_files(prepared: Prepared, size: int) -> list[dict[str, int]]:
    """Return the bytes of each split in each file of states, by the bytes of a number."""
    if not prepared.experiment.cache_activations:
        return []
    found = []
    for depth, encoding, mean in map(prepared.variant_of, prepared.input_variants):
        token = size * prepared.encoder.width * (2 if mean else 1)  # the mean beside the highest's
        tables = prepared.encoded[encoding].splits
        file = {split: token * len(table.tokens) for split, table in tables.items()}
        found += [file] if depth else []
    return found
